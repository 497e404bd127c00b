import Glibc
import Testing
import WeirTestKit
import WeirWorld

@Suite struct LiveFileSystemTests {
    private func withDirectory(_ body: (String, LiveFileSystem) throws -> Void) throws {
        let files = LiveFileSystem()
        let path = "/tmp/weir-world-\(getpid())-\(LiveRandom().next())"
        try files.makeDirectory(path + "/a/b")
        defer {
            for directory in ["/a/b", "/a", ""] {
                for name in (try? files.list(path + directory)) ?? [] {
                    try? files.remove(path + directory + "/" + name)
                }
                try? files.removeDirectory(path + directory)
            }
        }
        try body(path, files)
    }

    @Test("Pieces are written one after the other and read back")
    func pieces() throws {
        try withDirectory { path, files in
            let file = try files.open(path + "/f", .readWrite)
            defer { file.close() }
            let pieces = (0..<3_000).map { [UInt8](repeating: UInt8($0 % 251), count: $0 % 7) }
            let whole = pieces.flatMap { $0 }
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: whole.count, alignment: 1)
            defer { memory.deallocate() }
            memory.copyBytes(from: whole)
            var start = 0
            let parts = pieces.map { piece -> UnsafeRawBufferPointer in
                defer { start += piece.count }
                return UnsafeRawBufferPointer(rebasing: memory[start..<(start + piece.count)])
            }
            try file.write(parts, at: 5)
            try file.sync()
            #expect(try file.length == Int64(whole.count + 5))
            let back = UnsafeMutableRawBufferPointer.allocate(byteCount: whole.count + 10, alignment: 1)
            defer { back.deallocate() }
            #expect(try file.read(into: back, at: 5) == whole.count)
            #expect(back.prefix(whole.count).elementsEqual(whole))
            try file.truncate(to: 2)
            #expect(try file.read(into: back, at: 5) == 0)
        }
    }

    @Test("Names are listed in order, renamed and removed")
    func names() throws {
        try withDirectory { path, files in
            for name in ["c", "a1", "b"] { try files.open(path + "/a/b/" + name, .readWrite).close() }
            try files.rename(path + "/a/b/c", to: path + "/a/b/d")
            try files.remove(path + "/a/b/b")
            try files.syncDirectory(path + "/a/b")
            #expect(try files.list(path + "/a/b") == ["a1", "d"])
            #expect(try files.status(path + "/a/b")?.kind == .directory)
            #expect(try files.status(path + "/nothing") == nil)
            #expect(try files.space(path).free > 0)
        }
    }

    @Test("What is refused says why")
    func refusals() throws {
        try withDirectory { path, files in
            let kinds = [
                kind { _ = try files.open(path + "/nothing", .read) },
                kind { _ = try files.open(path + "/nothing/f", .readWrite) },
                kind { try files.open(path + "/f", .readWrite).close() },
                kind { _ = try files.open(path + "/f", .write(create: true, exclusive: true)) },
                kind { _ = try files.list(path + "/f") },
            ]
            #expect(kinds == [.missing, .missing, nil, .exists, .broken])
        }
    }

    private func kind(_ body: () throws -> Void) -> FileFailure.Kind? {
        do { try body() } catch { return (error as? FileFailure)?.kind }
        return nil
    }

    @Test("A lock has one owner at a time")
    func locks() throws {
        try withDirectory { path, files in
            let first = try #require(try files.lock(path + "/lock"))
            #expect(try files.lock(path + "/lock") == nil)
            first.release()
            let second = try files.lock(path + "/lock")
            #expect(second != nil)
            second?.release()
        }
    }

    @Test("A lane runs its jobs in order, on a thread of its own, and ends")
    func lanes() async throws {
        let lane = LiveBlocking().lane("test")
        let seen = SeenNumbers()
        for number in 0..<1_000 { lane.enqueue { seen.add(number) } }
        let thread = try await lane.run { UInt(pthread_self()) }
        #expect(seen.numbers == Array(0..<1_000))
        #expect(thread != UInt(pthread_self()))
        lane.close()
        lane.enqueue { seen.add(-1) }
        #expect(seen.numbers.last == 999)
    }

    @Test("The monotonic clock does not go back, and a sleep ends at its moment or with its task")
    func clocks() async throws {
        let time = LiveTime()
        let before = time.now
        try await time.sleep(for: .milliseconds(2))
        #expect(time.now - before >= .milliseconds(2))
        let sleeper = Task { try await time.sleep(until: .distantFuture) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }
}
