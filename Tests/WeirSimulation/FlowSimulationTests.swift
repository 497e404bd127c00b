import Testing

@Suite("Simulated worlds of routes and composed destinations")
struct FlowSimulationTests {
    @Test(
        "In every world each copy arrives where its route leads, and in the end all gates are open, all queues empty"
    )
    func worlds() throws {
        try Seeds.run("routes and composed destinations") { try FlowRun(seed: $0).run() }
    }

    @Test("The same seed gives the same run")
    func isDeterministic() throws {
        let first = try FlowRun(seed: 42)
        let second = try FlowRun(seed: 42)
        #expect(first.run() == nil)
        #expect(second.run() == nil)
        #expect(first.steps == second.steps)
    }
}
