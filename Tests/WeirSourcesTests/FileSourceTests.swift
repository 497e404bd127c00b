import NIOCore
import Synchronization
import Testing
import WeirFlow
import WeirGates
import WeirSettings
import WeirTestKit
import WeirWorld

@testable import WeirSources

#if canImport(Glibc)
    import Glibc
#endif

final class MemoryCheckpoints: CheckpointStore {
    private let values = Mutex<[String: [UInt8]]>([:])
    func load(_ key: String) async -> [UInt8]? { values.withLock { $0[key] } }
    func save(_ key: String, _ bytes: [UInt8]) async throws { values.withLock { $0[key] = bytes } }
    var text: String { values.withLock { $0.values.map { String(decoding: $0, as: UTF8.self) }.joined() } }
}

/// A directory of its own, taken away at the end.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array(("/tmp/weir-files-" + String(repeating: "X", count: 6)).utf8CString)
        guard mkdtemp(&template) != nil else { throw TestTrouble("no temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in (try? LiveFileSystem().list(path)) ?? [] { unlink(path + "/" + name) }
        rmdir(path)
    }

    func append(_ text: String, to name: String) { write(text, to: name, O_WRONLY | O_CREAT | O_APPEND) }
    func replace(_ name: String, with text: String) { write(text, to: name, O_WRONLY | O_CREAT | O_TRUNC) }
    func rename(_ from: String, to: String) { _ = Glibc.rename(path + "/" + from, path + "/" + to) }
    func remove(_ name: String) { unlink(path + "/" + name) }

    private func write(_ text: String, to name: String, _ flags: Int32) {
        let descriptor = Glibc.open(path + "/" + name, flags, 0o644)
        var text = text
        text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
        Glibc.close(descriptor)
    }
}

@Suite("file source")
struct FileSourceTests {
    let world = World.tests
    let checkpoints = MemoryCheckpoints()

    func source(
        _ intake: any Intake, _ patterns: [String], _ change: (inout FileSource.Settings) -> Void = { _ in }
    ) -> FileSource {
        var settings = FileSource.Settings()
        settings.paths = OneOrMany(patterns)
        settings.from = .beginning
        settings.poll = .milliseconds(5)
        settings.pollMost = .milliseconds(20)
        settings.rotateWait = .milliseconds(50)
        change(&settings)
        return FileSource(name: "logs", settings: settings, intake: intake, world: world, checkpoints: checkpoints)
    }

    @Test("Lines are followed as they are written; a partial one waits")
    func follow() async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("one\ntwo\nthr", to: "a.log")
        try await running(source(intake, [folder.path + "/*.log"])) { _ in
            #expect(await eventually { intake.events == ["one", "two"] })
            folder.append("ee\n", to: "a.log")
            #expect(await eventually { intake.events == ["one", "two", "three"] })
            folder.append("b1\n", to: "b.log")
            folder.append("no\n", to: "c.txt")
            #expect(await eventually { intake.eventCount == 4 })
        }
        #expect(intake.events == ["one", "two", "three", "b1"])
        #expect(intake.batches.last?.context.attributes["path"] == folder.path + "/b.log")
    }

    @Test("Rotation by rename loses nothing and repeats nothing", arguments: [true, false])
    func rename(matchesRotated: Bool) async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("one\n", to: "a.log")
        try await running(source(intake, [folder.path + (matchesRotated ? "/a.log*" : "/a.log")])) { _ in
            #expect(await eventually { intake.eventCount == 1 })
            folder.rename("a.log", to: "a.log.1")
            // The writer has not noticed yet.
            folder.append("two\nlast without end", to: "a.log.1")
            folder.append("three\n", to: "a.log")
            #expect(await eventually { intake.eventCount == (matchesRotated ? 3 : 4) })
            folder.append("four\n", to: "a.log")
            #expect(await eventually { intake.events.contains("four") })
        }
        let expected = ["one", "two", "three", "four"] + (matchesRotated ? [] : ["last without end"])
        #expect(Set(intake.events) == Set(expected) && intake.eventCount == expected.count)
    }

    @Test("Copy and truncate begins again, also when the file has grown past its old end")
    func copytruncate() async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("one\ntwo\n", to: "a.log")
        try await running(source(intake, [folder.path + "/a.log"])) { _ in
            #expect(await eventually { intake.eventCount == 2 })
            folder.replace("a.log", with: "3\n")
            #expect(await eventually { intake.events.last == "3" })
            folder.replace("a.log", with: "another and longer one than before\n")
            #expect(await eventually { intake.eventCount == 4 })
        }
        #expect(intake.events == ["one", "two", "3", "another and longer one than before"])
    }

    @Test("After a restart it goes on where it was safe, also in a file that was renamed meanwhile")
    func restart() async throws {
        let folder = try Folder()
        let first = RecordingIntake(time: world.time)
        folder.append("one\ntwo\npart", to: "a.log")
        try await running(source(first, [folder.path + "/a.log"])) { _ in
            #expect(await eventually { first.eventCount == 2 })
        }
        folder.append("ial\nthree\n", to: "a.log")
        folder.rename("a.log", to: "a.log.1")
        folder.append("four\n", to: "a.log")
        let second = RecordingIntake(time: world.time)
        try await running(source(second, [folder.path + "/a.log"]) { $0.from = .end }) { _ in
            #expect(await eventually { second.eventCount >= 2 })
            folder.append("five\n", to: "a.log")
            #expect(await eventually { second.events.contains("five") })
        }
        // `four` stands in the place of a file that was read: it is new, whatever `from` says.
        #expect(second.events.filter { $0 != "four" && $0 != "five" } == ["partial", "three"])
        #expect(second.events.contains("four") && second.eventCount == 4)
    }

    @Test("What is not safe is read again: after a restart, and when a receipt says that it is lost")
    func notSafe() async throws {
        let folder = try Folder()
        let first = RecordingIntake(time: world.time)
        first.setSettlement(nil)
        folder.append("one\ntwo\n", to: "a.log")
        let run = Task {
            try await running(source(first, [folder.path + "/a.log"])) { _ in
                #expect(await eventually { first.eventCount == 2 })
            }
        }
        try await run.value
        let second = RecordingIntake(time: world.time)
        second.setSettlement(.lost(Reason("gone", "gone")))
        let tested = source(second, [folder.path + "/a.log"])
        try await running(tested) { _ in
            #expect(await eventually { second.eventCount >= 2 })
            second.setSettlement(.kept)
            #expect(await eventually { second.eventCount >= 4 })
            #expect(await eventually { checkpoints.text.contains(" 8 /") })
        }
        #expect(second.events.suffix(2) == ["one", "two"])
        #expect(tested.meter.reading.refused["read_again"] ?? 0 > 0)
    }

    @Test("From the end: only what is new")
    func end() async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("old\n", to: "a.log")
        let tested = source(intake, [folder.path + "/a.log"]) { $0.from = .end }
        try await running(tested) { _ in
            #expect(await eventually { tested.meter.reading.connections == 1 })
            folder.append("new\n", to: "a.log")
            #expect(await eventually { intake.events == ["new"] })
        }
    }

    @Test(
        "From the end: what was rotated or cut while Weir was not running is new all the same",
        arguments: [true, false])
    func endAfterRotation(isRenamed: Bool) async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("an old line, longer than the next\n", to: "a.log")
        let patterns = [folder.path + "/a.log"]
        try await running(source(intake, patterns) { $0.from = .end }) { _ in
            #expect(await eventually { checkpoints.text.contains(" 34 ") })
            folder.append("one\n", to: "a.log")
            #expect(await eventually { intake.events == ["one"] })
        }
        folder.append("two\n", to: "a.log")
        if isRenamed {
            folder.rename("a.log", to: "a.log.1")
        } else {
            // What a copy holds is another tool's to read: the line that was cut away is not ours any more.
            folder.replace("a.log", with: "")
        }
        folder.append("three\n", to: "a.log")
        try await running(source(intake, patterns) { $0.from = .end }) { _ in
            #expect(await eventually { intake.events.contains("three") })
        }
        #expect(Set(intake.events) == (isRenamed ? ["one", "two", "three"] : ["one", "three"]))
        #expect(intake.eventCount == (isRenamed ? 3 : 2))
    }

    @Test("A removed file is let go, and the next one of that name is read")
    func removed() async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        folder.append("one\n", to: "a.log")
        let tested = source(intake, [folder.path + "/a.log"])
        try await running(tested) { _ in
            #expect(await eventually { intake.eventCount == 1 })
            folder.remove("a.log")
            #expect(await eventually { tested.meter.reading.connections == 0 })
            folder.append("two\n", to: "a.log")
            #expect(await eventually { intake.events == ["one", "two"] })
        }
    }

    @Test("A sender's backlog larger than memory is read piece by piece, and a long line is cut")
    func large() async throws {
        let folder = try Folder()
        let intake = RecordingIntake(time: world.time)
        let block = String(repeating: String(repeating: "x", count: 99) + "\n", count: 10_000)
        for _ in 0..<5 { folder.append(block, to: "a.log") }
        folder.append(String(repeating: "y", count: 3_000_000) + "\nend\n", to: "a.log")
        let tested = source(intake, [folder.path + "/a.log"]) { $0.eventMost = .kibibytes(100) }
        try await running(tested) { _ in #expect(await eventually { intake.eventCount == 50_002 })
        }
        #expect(intake.batches.last?.texts.last == "end")
        #expect(tested.meter.reading.malformed == ["too_long": 1])
        #expect(checkpoints.text.contains(" 8000005 /"))
    }

    @Test(
        "Patterns",
        arguments: [
            ("a.log", "a.log", true), ("*.log", "a.log", true), ("*.log", ".a.log", false), ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("*a*b*", "xxaxxbxx", true), ("*a*b", "xxaxxbx", false),
            ("[", "[", true),
            ("a[]]b", "a]b", true), ("**", "x", true), ("", "", true), ("*", "", true),
        ])
    func patterns(pattern: String, name: String, expected: Bool) {
        #expect(FilePattern.matches(name, pattern) == expected)
    }

    @Test("Checkpoints survive being written down, and nonsense is left out")
    func written() {
        let all = [
            FileCheckpoint(device: 1, inode: .max, headLength: 256, headCheck: 7, offset: 12, path: "/var/log/a b.log")
        ]
        #expect(FileCheckpoints.read(FileCheckpoints.bytes(all)) == all)
        #expect(FileCheckpoints.read(Array("weir-files 1\n1 2 3 4\n1 2 3 4 -5\nx\n1 2 3 4 5\n".utf8)).count == 1)
        #expect(FileCheckpoints.read(Array("something else".utf8)).isEmpty)
    }

    @Test("Standard input is read to its end")
    func stdin() async throws {
        let intake = RecordingIntake(time: world.time)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let source = StdinSource(name: "in", settings: .init(), intake: intake, world: world, descriptor: ends[0])
        let text = Array("one\ntwo\nlast".utf8)
        #expect(write(ends[1], text, text.count) == text.count)
        close(ends[1])
        try await source.run()
        close(ends[0])
        #expect(intake.events == ["one", "two", "last"])
    }

    @Test("Standard input that is silent does not keep it from stopping")
    func silentStdin() async throws {
        let intake = RecordingIntake(time: world.time)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let source = StdinSource(name: "in", settings: .init(), intake: intake, world: world, descriptor: ends[0])
        let text = Array("one\n".utf8)
        #expect(write(ends[1], text, text.count) == text.count)
        try await running(source) { _ in #expect(await eventually { intake.eventCount == 1 }) }
        close(ends[0])
        close(ends[1])
    }
}
