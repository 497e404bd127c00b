import Testing

@Suite("Simulated worlds of queue, retry, gate and balancer")
struct DeliverySimulationTests {
    @Test(
        "In every world nothing is lost, nothing is invented, and in the end every gate is open and every queue empty")
    func worlds() {
        Seeds.run("queue, retry, gate and balancer") { DeliveryRun(seed: $0).run() }
    }

    @Test("The same seed gives the same run")
    func isDeterministic() {
        let first = DeliveryRun(seed: 42)
        let second = DeliveryRun(seed: 42)
        #expect(first.run() == nil)
        #expect(second.run() == nil)
        #expect(first.steps == second.steps)
        #expect(first.virtualSeconds == second.virtualSeconds)
    }
}
