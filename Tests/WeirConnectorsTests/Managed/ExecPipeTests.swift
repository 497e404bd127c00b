import Synchronization
import Testing
import WeirConnectors
import WeirGates
import WeirSettings
import WeirWorld

@Suite("Connectors of type exec: pipes and surroundings", .timeLimit(.minutes(2)))
struct ExecPipeTests {
    private let stage = ManagedStage("pipes")
    private var time: any TimeSource { stage.means.world.time }

    private func text(_ path: String) -> String { (try? stage.read(path)) ?? "" }

    @Test("While pushes are held, the program waits at its pipe; nothing is kept in memory, and nothing is lost")
    func backpressure() async throws {
        let mark = stage.directory + "-written"
        // 40 times a megabyte, and after each of them a note.
        let script = #"""
            line=$(printf '{"pad":"%01000d"}' 0); i=0
            while [ $i -lt 40 ]; do yes "$line" | head -n 1024; i=$((i+1)); echo $i > \#(mark); done
            """#
        stage.platform.state.withLock { $0.isHeld = true }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.stage.run(self.stage.script(script)) }
            // It stands still when the same was seen for a second.
            var (seen, since) = ("", time.now)
            while time.now - since < .seconds(1) || seen.isEmpty && time.now - since < .seconds(20) {
                try await time.sleep(for: .milliseconds(50))
                let now = text(mark)
                if now != seen { (seen, since) = (now, time.now) }
                if Int(now.filter { $0 != "\n" }) ?? 0 > 10 { break }
            }
            #expect(Int(seen.filter { $0 != "\n" }) ?? 0 < 10, "the program was read on although pushes are held")
            stage.platform.state.withLock { $0.isHeld = false }
            try await group.waitForAll()
        }
        #expect(stage.platform.events.count == 40 * 1_024)
        try stage.means.world.files.remove(mark)
    }

    @Test("A flood on standard error holds nothing up and keeps nothing; the end of it explains a failure")
    func flood() async throws {
        let script = "echo '{}'; yes 'a line of the log' | head -n 2000000 >&2; echo \"$TOKEN is wrong\" >&2; exit 4"
        let failure = await stage.failure(of: stage.script(script) { $0.secrets = ["TOKEN": Secret("t0ken")] })
        #expect(failure?.reason.code == "exec_exit")
        #expect(failure?.reason.sentence.hasSuffix("a line of the log / *** is wrong") == true)
    }

    @Test("A program that closes its standard output early may still set its state and end well")
    func closesEarly() async throws {
        try await stage.run(stage.script(#"echo '{"n":1}'; exec >&-; sleep 0.2; echo '{"state":7}' >&3"#))
        #expect(stage.platform.events == ["{\"n\":1}"] && stage.platform.connectorState == "7")
    }

    @Test("It runs in its directory, with nothing on standard input, and finds its name and state in the environment")
    func surroundings() async throws {
        stage.platform.set("{\"a\":1}")
        let script = #"""
            test -z "$(cat)" && printf '{"in":"%s","id":"%s","state":%s,"file":%s}\n' \
                "$(pwd)" "$WEIR_CONNECTOR_ID" "$WEIR_STATE" "$(cat "$WEIR_STATE_FILE")"
            """#
        try await stage.run(stage.script(script) { $0.directory = "/usr" })
        #expect(stage.platform.events == [#"{"in":"/usr","id":"c","state":{"a":1},"file":{"a":1}}"#])
    }

    @Test("A line that is too long and a program that cannot be started say what to look at")
    func words() async {
        let long = await stage.failure(
            of: stage.script("yes x | tr -d '\\n' | head -c 3000") { $0.lineMost = .kibibytes(1) })
        #expect(long?.reason.sentence == "Line 1 of standard output is longer than 1KiB (`line_most`).")
        let missing = await stage.failure(of: stage.script("") { $0.command = ["/nowhere/program"] })
        #expect(missing?.reason.sentence.hasSuffix("Look at `command` and `directory`.") == true)
        let noise = await stage.failure(of: stage.script("echo Starting up"))
        #expect(noise?.reason.sentence.contains("`Starting up`. What is no event belongs on standard error.") == true)
    }
}
