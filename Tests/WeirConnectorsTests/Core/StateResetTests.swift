import Testing
import WeirTestKit
import WeirWorld

@testable import WeirConnectors

@Suite("A reset of a connector's state")
struct StateResetTests {
    /// A process as pycti makes one.
    private struct Process {
        var registry = Registry()
        var state = "null"

        init() throws {
            try register()
            set("old")
            _ = ping()
        }

        mutating func register() throws {
            let wall = WallTime(secondsSince1970: 1_000)
            state =
                try registry.register(ConnectorRegistration(id: "c", name: "C"), userID: "u", at: wall).state ?? "null"
        }

        mutating func set(_ state: String) { self.state = state }
        mutating func reset() { _ = registry.resetState("c") }
        mutating func beginWork() { _ = registry.workBegins("c") }

        var isInRun = false

        private mutating func ping() -> String {
            let answer = registry.ping(
                "c", state: state, report: ConnectorReport(), isInRun: isInRun, at: WallTime(secondsSince1970: 1_000))
            return answer?.record.state ?? "null"
        }

        /// What its thread does every 40 s: it obeys.
        mutating func threadPing() { state = ping() }

        /// What `force_ping` does: it does not.
        mutating func forcePing() { if ping() != state { _ = ping() } }
    }

    @Test("reaches the process with the next ping of its thread, and only once")
    func thread() throws {
        var process = try Process()
        process.reset()
        process.threadPing()
        #expect(process.state == "null")
        process.set("new")
        process.threadPing()
        #expect(process.state == "new" && process.registry["c"]?.record.state == "new")
    }

    @Test("is not undone by a ping that does not listen, however often it comes", arguments: 1...5)
    func forced(times: Int) throws {
        var process = try Process()
        process.reset()
        for time in 0..<times {
            // A run from the old state, for nobody told its process.
            process.beginWork()
            process.set("old\(time)")
            process.forcePing()
            #expect(process.registry["c"]?.record.state == nil)
        }
        process.threadPing()
        #expect(process.state == "null")
        process.threadPing()
        #expect(process.registry["c"]?.reset == nil && process.state == "null")
    }

    @Test("is over when the process was told and begins a work, though its run leaves the very same state")
    func same() throws {
        var process = try Process()
        process.reset()
        process.threadPing()
        process.beginWork()
        process.set("old")
        process.forcePing()
        #expect(process.registry["c"]?.record.state == "old")
        process.threadPing()
        #expect(process.state == "old")
    }

    @Test("is told again when a run went on while it was told, whatever that run leaves behind")
    func inRun() throws {
        for pings in 0...2 {
            var process = try Process()
            process.beginWork()
            process.isInRun = true
            process.reset()
            process.threadPing()
            for _ in 0..<pings { process.threadPing() }
            process.set("from the old state")
            process.isInRun = false
            process.threadPing()
            #expect(process.state == "null" && process.registry["c"]?.record.state == nil)
            process.beginWork()
            process.set("new")
            process.threadPing()
            #expect(process.state == "new" && process.registry["c"]?.record.state == "new")
        }
    }

    @Test("is told again when the next run has begun from what the run before it left behind")
    func nextRun() throws {
        var process = try Process()
        process.isInRun = true
        process.reset()
        process.threadPing()
        process.set("from the old state")
        process.beginWork()
        process.set("from the old state, too")
        process.isInRun = false
        process.threadPing()
        #expect(process.state == "null")
        process.beginWork()
        process.set("new")
        process.threadPing()
        #expect(process.state == "new")
    }

    @Test("makes a connector that never closes its works begin again twice at most")
    func leaking() throws {
        var process = try Process()
        process.isInRun = true
        process.reset()
        var begun = 0
        for _ in 0..<10 {
            if process.state == "null" { begun += 1 }
            process.beginWork()
            process.set("state")
            process.threadPing()
        }
        #expect(begun <= 2 && process.state == "state")
    }

    @Test("is over with a new registration: its process begins with no state")
    func registration() throws {
        var process = try Process()
        process.reset()
        try process.register()
        #expect(process.state == "null")
        process.set("new")
        process.forcePing()
        #expect(process.registry["c"]?.record.state == "new")
    }

    @Test("is told in the answer to a ping that says nothing of its state")
    func silent() {
        let answer = StateReset().pinged(with: nil, isInRun: false)
        #expect(answer.next == nil && answer.isDropped)
    }

    @Test("is remembered over a restart, told or not")
    func restart() async throws {
        let stage = CoreStage()
        try await stage.live(with: "c") { connectors in
            _ = try await connectors.ping("c", state: "old", report: ConnectorReport())
            try await connectors.resetState("c")
        }
        for _ in 1...3 {
            // Told, not heard, told: each in a life of its own.
            try await stage.live { connectors in
                let answer = try await connectors.ping("c", state: "old", report: ConnectorReport())
                #expect(answer != nil && answer?.state == nil)
            }
        }
        try await stage.live { connectors in
            _ = try await connectors.addWork("c", name: "run", isMultipart: false)
        }
        try await stage.live { connectors in
            let answer = try await connectors.ping("c", state: "old", report: ConnectorReport())
            #expect(answer?.state == "old")
        }
    }
}
