import Testing
import WeirConnectors
import WeirWorld

@Suite("Works")
struct WorkTests {
    private func work() -> Work {
        Work(id: "work_a_1", connector: "a", name: "run", startedAt: WallTime(secondsSince1970: 0))
    }

    @Test("is complete only when the connector is done and everything was delivered")
    func completion() {
        var work = work()
        #expect(work.status == .wait)
        work.pushed = 2
        work.delivered = 1
        #expect(work.status == .progress)
        work.processedAt = WallTime(secondsSince1970: 5)
        #expect(work.status == .progress)
        work.failed = 1
        #expect(work.status == .complete)
        work.expected = 3
        #expect(work.status == .progress)
    }
}
