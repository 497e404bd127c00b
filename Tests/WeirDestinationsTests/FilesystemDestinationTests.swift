import Foundation
import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWires

@Suite(.timeLimit(.minutes(5))) struct FilesystemDestinationTests {
    static func settings(_ scratch: Scratch, _ change: (inout FilesystemDestination.Settings) -> Void = { _ in })
        -> FilesystemDestination.Settings
    {
        var settings = FilesystemDestination.Settings()
        settings.path = scratch.path + "/out"
        change(&settings)
        return settings
    }

    static func send(_ destination: any Destination, _ batch: Batch) async -> DeliveryFailure? {
        await failure { () async throws(DeliveryFailure) in _ = try await destination.send(batch) }
    }

    @Test("What is sent is in whole files after the close, and nowhere before", arguments: FileDurability.allCases)
    func whole(durability: FileDurability) async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.durability = durability })
        try await destination.open()
        for round in 0..<10 { _ = try await destination.send(Bench.batch("a\(round)", "b\(round)")) }
        #expect(scratch.files().isEmpty)
        await destination.close()
        #expect(scratch.output == (0..<10).map { "a\($0)\nb\($0)\n" }.joined())
        #expect(scratch.files().count == 1)
        #expect(scratch.files(hidden: true).filter { !$0.hasSuffix(".lock") }.count == 1)
    }

    @Test("A packed file is what it says, and whole after every batch", arguments: [FileCompression.gzip, .zstd])
    func packed(compression: FileCompression) async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(
            Self.settings(scratch) {
                $0.compress = compression
                $0.format = .ndjson
            })
        try await destination.open()
        for round in 0..<5 { _ = try await destination.send(Bench.json("{\"seq\":\(round)}")) }
        await destination.close()
        let file = try #require(scratch.files().first)
        #expect(file.hasSuffix(compression == .gzip ? ".ndjson.gz" : ".ndjson.zst"))
        let bytes = ByteBuffer(bytes: scratch.content("out/" + file))
        let plain = try Compression.decode(bytes, compression == .gzip ? .gzip : .zstd)
        #expect(String(buffer: plain) == (0..<5).map { "{\"seq\":\($0)}\n" }.joined())
    }

    @Test("A file is finished at its size")
    func size() async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.maxSize = .kilobytes(1) })
        try await destination.open()
        for _ in 0..<10 { _ = try await destination.send(Bench.batch(String(repeating: "x", count: 499))) }
        #expect(scratch.files().count == 5)
        await destination.close()
        #expect(scratch.output.utf8.count == 5_000)
    }

    @Test("A file is finished when it is idle")
    func idle() async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.maxIdle = .seconds(2) })
        try await destination.open()
        _ = try await destination.send(Bench.batch("x"))
        #expect(scratch.files().isEmpty)
        for _ in 0..<1_000 where scratch.files().isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        #expect(scratch.output == "x\n")
        await destination.close()
    }

    @Test("Events go to the directory of their partition, and none beyond the root")
    func partition() async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(
            Self.settings(scratch) {
                $0.partition = "event.who"
                $0.maxOpenFiles = 2
            })
        try await destination.open()
        let names = ["a", "b", "../../../tmp/evil", "/abs", "a", "..", "x/../../y", "c"]
        let events = names.map { "{\"who\":\"\($0)\"}" } + ["{\"other\":1}", "no json", "{\"who\":{}}"]
        let report = try await destination.send(Batch.texts(events, context: Bench.jsonContext))
        #expect(report.rejected.map(\.index) == [8, 9, 10])
        #expect(Set(report.rejected.map(\.reason.code)) == ["partition_failed"])
        await destination.close()
        let directories = Set(scratch.files().map { ($0 as NSString).deletingLastPathComponent })
        #expect(directories == ["a", "b", "%2E%2E/%2E%2E/%2E%2E/tmp/evil", "abs", "%2E%2E", "x/%2E%2E/%2E%2E/y", "c"])
        #expect(scratch.output.split(separator: "\n").count == 8)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["out"])
    }

    @Test("A symbolic link where a partition should be is not followed; only its events are refused")
    func link() async throws {
        let scratch = try Scratch()
        let outside = scratch.path + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        for tree in ["out", "out/.staging/test"] {
            try FileManager.default.createDirectory(
                atPath: scratch.path + "/" + tree, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: scratch.path + "/\(tree)/trap", withDestinationPath: outside)
        }
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.partition = "event.who" })
        try await destination.open()
        let report = try await destination.send(Bench.json("{\"who\":\"trap\"}", "{\"who\":\"fine\"}"))
        #expect(report.rejected.map(\.index) == [0])
        #expect(report.rejected.map(\.reason.code) == ["path_taken"])
        await destination.close()
        #expect(scratch.output == "{\"who\":\"fine\"}\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside).isEmpty)
    }

    @Test(
        "What a crash left in the staging directory is cut to whole lines and moved at the next start",
        arguments: [
            ("x.log", Array("one\ntwo\nthr".utf8), "one\ntwo\n"), ("y.log", Array("torn".utf8), nil),
            ("z.log", Array("whole\n".utf8), "whole\n"),
            ("e.log", [], nil),
        ] as [(String, [UInt8], String?)])
    func leftovers(name: String, content: [UInt8], expected: String?) async throws {
        let scratch = try Scratch()
        let staged = scratch.path + "/out/.staging/test/2026/11"
        try FileManager.default.createDirectory(atPath: staged, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: staged + "/" + name, contents: Data(content))
        let destination = try Bench.endpoint(Self.settings(scratch))
        try await destination.open()
        await destination.close()
        #expect(scratch.files() == (expected == nil ? [] : ["2026/11/" + name]))
        #expect(scratch.output == expected ?? "")
        #expect(!FileManager.default.fileExists(atPath: scratch.path + "/out/.staging/test/2026"))
    }

    @Test("A packed leftover cut anywhere keeps its whole members", arguments: [ContentCoding.gzip, .zstd])
    func packedLeftovers(coding: ContentCoding) async throws {
        let first = try Compression.encode(ByteBuffer(string: "one\n"), coding)
        let second = try Compression.encode(ByteBuffer(string: "two\n"), coding)
        let all = Array(first.readableBytesView) + Array(second.readableBytesView)
        for length in 0...all.count {
            let scratch = try Scratch()
            let staged = scratch.path + "/out/.staging/test"
            try FileManager.default.createDirectory(atPath: staged, withIntermediateDirectories: true)
            let name = coding == .gzip ? "x.log.gz" : "x.log.zst"
            _ = FileManager.default.createFile(atPath: staged + "/" + name, contents: Data(all[..<length]))
            let destination = try Bench.endpoint(Self.settings(scratch))
            try await destination.open()
            await destination.close()
            let expected = length == all.count ? "one\ntwo\n" : length >= first.readableBytes ? "one\n" : ""
            let found = scratch.content("out/" + name)
            #expect(expected.isEmpty == found.isEmpty)
            if !found.isEmpty {
                #expect(
                    try String(buffer: Compression.decode(ByteBuffer(bytes: found), coding)) == expected, "\(length)")
            }
        }
    }

    @Test("Two at once in one staging directory: the second waits")
    func locked() async throws {
        let scratch = try Scratch()
        let one = try Bench.endpoint(Self.settings(scratch))
        let two = try Bench.endpoint(Self.settings(scratch))
        try await one.open()
        let failed = await failure { () async throws(DeliveryFailure) in try await two.open() }
        #expect(failed?.reason.code == "staging_in_use")
        await one.close()
        try await two.open()
        await two.close()
    }

    @Test("An output directory that vanished is made again")
    func vanished() async throws {
        let scratch = try Scratch()
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.maxSize = .kilobytes(1) })
        try await destination.open()
        _ = try await destination.send(Bench.batch(String(repeating: "x", count: 2_000)))
        try FileManager.default.removeItem(atPath: scratch.path + "/out")
        let failed = await Self.send(destination, Bench.batch("lost?"))
        guard case .unreachable(let reason) = failed else {
            Issue.record("not unreachable: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "not_found")
        try await destination.open()
        _ = try await destination.send(Bench.batch("again"))
        await destination.close()
        #expect(scratch.output == "again\n")
    }

    @Test("A staging directory on another file system is said at once")
    func otherFileSystem() async throws {
        guard FileManager.default.isWritableFile(atPath: "/dev/shm") else {
            print("SKIPPED: no /dev/shm to test a second file system with")
            return
        }
        let scratch = try Scratch()
        let staging = "/dev/shm/weir-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: staging) }
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.staging = staging })
        let failed = await failure { () async throws(DeliveryFailure) in try await destination.open() }
        guard case .misconfigured(let reason) = failed else {
            Issue.record("not misconfigured: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "other_file_system")
    }

    @Test("A full disk holds back, leaves nothing torn, and goes on when there is room")
    func full() async throws {
        let scratch = try Scratch()
        let mount = scratch.path + "/out"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        guard getuid() == 0, try run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount) == 0 else {
            print("SKIPPED: a full disk needs root and mount")
            return
        }
        defer { _ = try? run("umount", "-l", mount) }
        let destination = try Bench.endpoint(Self.settings(scratch))
        try await destination.open()
        let ballast = mount + "/ballast"
        _ = FileManager.default.createFile(atPath: ballast, contents: Data(repeating: 0, count: 700_000))
        let batch = Batch.texts(
            Array(repeating: String(repeating: "x", count: 99), count: 2_000), context: Bench.context)
        _ = try await destination.send(batch)
        let failed = await Self.send(destination, batch)
        guard case .busy(let reason, _) = failed else {
            Issue.record("not busy: \(String(describing: failed))")
            return
        }
        #expect(reason.code == "disk_full")
        try FileManager.default.removeItem(atPath: ballast)
        _ = try await destination.send(batch)
        await destination.close()
        #expect(scratch.output.utf8.count == 400_000)
        #expect(scratch.output.split(separator: "\n").allSatisfy { $0.utf8.count == 99 })
    }

    @Test("A read-only file system holds back and says so")
    func readOnly() async throws {
        let scratch = try Scratch()
        let mount = scratch.path + "/out"
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        guard getuid() == 0, try run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount) == 0 else {
            print("SKIPPED: a read-only disk needs root and mount")
            return
        }
        defer { _ = try? run("umount", "-l", mount) }
        let destination = try Bench.endpoint(Self.settings(scratch) { $0.maxSize = .kilobytes(1) })
        try await destination.open()
        let big = Bench.batch(String(repeating: "x", count: 2_000))
        _ = try await destination.send(big)
        #expect(try run("mount", "-o", "remount,ro", mount) == 0)
        #expect(await Self.send(destination, big)?.reason.code == "read_only")
        #expect(try run("mount", "-o", "remount,rw", mount) == 0)
        #expect(await Self.send(destination, big) == nil)
        await destination.close()
        #expect(scratch.output.split(separator: "\n").count == 2)
    }

    @Test("Settings that cannot work are said with their key")
    func mistakes() throws {
        let scratch = try Scratch()
        let (plan, problems) = Bench.planned(
            Self.settings(scratch) { $0.partition = ExpressionText("event.", path: "destinations.test.partition") })
        #expect(plan == nil)
        #expect(problems.map(\.path) == ["destinations.test.partition"])
        #expect(Bench.planned(Self.settings(scratch) { $0.partition = "1 + 2" }).plan == nil)
        for (key, value) in [
            ("file_name", "../x"), ("file_name", "a/b"), ("extension", ".x"), ("extension", "a/b"),
            ("staging", "/tmp/x"),
        ] {
            var found: [SettingProblem] = []
            let settings = FilesystemDestination.Settings.read(
                from: SettingNode(
                    .map([
                        SettingEntry(key: "path", value: .text("/tmp/x")), SettingEntry(key: key, value: .text(value)),
                    ])),
                path: "d", problems: &found)
            #expect(settings == nil)
            #expect(found.first?.path == "d.\(key)", "\(found)")
        }
    }
}
