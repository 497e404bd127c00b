import NIOCore
import Synchronization
import Testing
import WeirConnectors
import WeirGates
import WeirSettings
import WeirWorld

@Suite("Connectors of type exec", .timeLimit(.minutes(5)))
struct ExecTests {
    private let stage = ManagedStage("exec")

    private func importer(_ script: String, _ change: (inout ExecSettings) -> Void = { _ in }) -> ExecImporter {
        stage.script(script, change)
    }

    @Test("Events on standard output arrive in order, with a work that is closed, and the state is kept")
    func events() async throws {
        let script = #"""
            echo '{"n":1}'; echo; printf '{"n":2}\r\n{"n":3,"state":"%s"}' "$WEIR_CONNECTOR_ID"
            echo '{"state": {"a":  [1]}}' >&3; echo '{"x":1,"state":{"last":3}}' >&3; echo "a log line" >&2
            """#
        try await stage.run(importer(script))
        #expect(stage.platform.events == [#"{"n":1}"#, #"{"n":2}"#, #"{"n":3,"state":"c"}"#])
        #expect(stage.platform.connectorState == #"{"last":3}"#)
        #expect(stage.platform.works.map(\.isInError) == [false])
        #expect(stage.platform.works.first?.processedAt != nil)
        let heads = stage.platform.state.withLock { $0.pushes.map(\.head) }
        #expect(heads == [BundleHead(connector: "c", work: "work_0", encoding: .events)])
    }

    @Test("The state comes in by environment and by file; a large one by file only")
    func stateIn() async throws {
        stage.platform.set(#"{"since":7}"#)
        try await stage.run(importer(#"echo "$WEIR_STATE"; cat "$WEIR_STATE_FILE""#))
        #expect(stage.platform.events == [#"{"since":7}{"since":7}"#] || stage.platform.events.count == 2)
        let large = "{\"a\":\"" + String(repeating: "x", count: 300_000) + "\"}"
        stage.platform.set(large)
        try await stage.run(importer(#"test -z "$WEIR_STATE" && cat "$WEIR_STATE_FILE""#))
        #expect(stage.platform.events.last == large)
        // Nothing is left of it.
        #expect(try stage.means.world.files.list(stage.directory).isEmpty)
    }

    @Test("A program that prints nothing and ends well brings nothing, and leaves no work behind")
    func nothing() async throws {
        try await stage.run(importer("exit 0"))
        #expect(stage.platform.events.isEmpty && stage.platform.works.isEmpty)
        #expect(stage.platform.state.withLock { $0.ends.count } == 1)
    }

    @Test("An exit code fails the run with what the program said, and the state stays as it was")
    func exitCode() async {
        stage.platform.set("1")
        let failure = await stage.failure(
            of: importer(#"echo '{"n":1}'; echo '{"state":2}' >&3; echo 'no such feed' >&2; exit 3"#))
        #expect(failure?.reason.code == "exec_exit")
        #expect(failure?.reason.sentence.contains("ended with code 3: no such feed") == true)
        #expect(stage.platform.connectorState == "1")
        #expect(stage.platform.state.withLock { $0.ends.isEmpty })
    }

    @Test("A signal, a missing program and a missing directory are said as what they are")
    func notRunning() async {
        #expect(await stage.failure(of: importer("kill -9 $$"))?.reason.sentence.contains("signal 9") == true)
        let missing = await stage.failure(of: importer("") { $0.command = ["/nowhere/program"] })
        #expect(missing?.reason.sentence.contains("No such file or directory") == true)
        let directory = await stage.failure(of: importer("true") { $0.directory = "/nowhere" })
        #expect(directory?.reason.code == "exec_failed")
    }

    @Test("A line that is no JSON object fails the run and is shown")
    func noJSON() async {
        for text in ["hello", "[1]", "{\"a\":1", "{} {}", "null"] {
            let failure = await stage.failure(of: importer("echo '{}'; echo '\(text)'; sleep 60"))
            #expect(failure?.reason.code == "invalid_event")
            #expect(failure?.reason.sentence.contains("Line 2") == true)
        }
        let state = await stage.failure(of: importer("echo nonsense >&3; sleep 60"))
        #expect(state?.reason.code == "invalid_state")
    }

    @Test("A gigabyte on one line is not kept: the run fails at the limit, and the program is ended")
    func gigabyte() async throws {
        let failure = await stage.failure(of: importer("head -c 1000000000 /dev/zero | tr '\\0' x; sleep 60"))
        #expect(failure?.reason.code == "line_too_long")
    }

    @Test("A program that ignores SIGTERM is killed, with all that it started")
    func stubborn() async throws {
        let script = #"trap '' TERM; (trap '' TERM; sleep 98765) & echo "{\"child\":$!}"; wait; sleep 98765"#
        let failure = await stage.failure(of: importer(script) { $0.timeout = .seconds(1) })
        #expect(failure?.reason.code == "exec_timeout")
        #expect(stage.platform.state.withLock { $0.ends.isEmpty })
        #expect(try stage.commandLines(containing: "98765").isEmpty)
    }

    @Test("A program that closes its outputs and goes on is ended by the timeout too")
    func silent() async throws {
        let failure = await stage.failure(
            of: importer("exec >&- 2>&- 3>&-; sleep 98764") { $0.timeout = .seconds(1) })
        #expect(failure?.reason.code == "exec_timeout")
        #expect(try stage.commandLines(containing: "98764").isEmpty)
    }

    @Test("What a program leaves running does not hold the run up, nor outlive it")
    func leftovers() async throws {
        try await stage.run(importer("sleep 98763 & echo '{}'"))
        #expect(stage.platform.events == ["{}"])
        #expect(try stage.commandLines(containing: "98763").isEmpty)
    }

    @Test("A run that is stopped ends its program, which has its grace to end well")
    func stopped() async throws {
        let mark = stage.directory + "-mark"
        let script = "trap 'echo done > \(mark); exit 0' TERM; echo > \(mark)-on; while :; do sleep 0.05; done"
        let run = importer(script) { $0.grace = .seconds(20) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.stage.run(run) }
            while (try? stage.means.world.files.status(mark + "-on")) == .some(nil) {
                try? await stage.means.world.time.sleep(for: .milliseconds(20))
            }
            group.cancelAll()
        }
        #expect(try stage.means.world.files.status(mark) != nil)
        for file in [mark, mark + "-on"] { try stage.means.world.files.remove(file) }
    }

    @Test("Nothing of Weir's own environment and descriptors is handed on but what must be")
    func environment() async throws {
        let script =
            #"printf '{"password":"%s","feed":"%s","token":"%s","open":"' "$PASSWORD" "$FEED" "$TOKEN"; "#
            + #"for f in /proc/self/fd/*; do printf '%s ' "${f##*/}"; done; printf '"}\n'"#
        let run = importer(script) {
            $0.environment = ["FEED": "f"]
            $0.secrets = ["TOKEN": Secret("t")]
        }
        try await stage.run(run)
        let event = try #require(stage.platform.events.first)
        #expect(event.hasPrefix(#"{"password":"","feed":"f","token":"t""#))
        // The shell's own descriptor for the directory may stand among them.
        #expect(event.contains(#""open":"0 1 2 3"#) && event.split(separator: " ").count <= 6)
    }

    @Test("A push that fails ends the program and fails the run with the platform's words")
    func pushFails() async {
        stage.platform.state.withLock { $0.failure = ConnectorFailure(.storage, "The disk is full.") }
        let failure = await stage.failure(of: importer("yes '{\"n\":1}'"))
        #expect(failure?.reason == Reason("storage", "The disk is full."))
    }

    @Test("Settings say what is wrong with them")
    func settings() {
        var problems: [SettingProblem] = []
        _ = ExecSettings.read(from: .map([:]), path: "c", problems: &problems)
        #expect(problems.first?.message.contains("`command` is missing") == true)
        problems = []
        _ = ExecSettings.read(
            from: .map(["command": .list([.text("x")]), "environment": .map(["WEIR_STATE": .text("1")])]), path: "c",
            problems: &problems)
        #expect(problems.map(\.message) == ["names that begin with `WEIR_` are Weir's own"])
    }
}
