import NIOCore
import Testing
import WeirStore
import WeirTestKit
import WeirWorld

/// Every byte of a small segment, hurt in every way.
@Suite struct DamageTests {
    private struct Image {
        var files: [(path: String, bytes: [UInt8])]
        var segment: String
        var bytes: [UInt8]
        /// Where each record lies in the file.
        var places: [Range<Int>]
    }

    private static let texts = (0..<6).map { "event \($0) " + String(repeating: "\($0)", count: 20 + $0 * 7) }

    private func image(sealed: Bool, compression: QueueSettings.Compression = .none) async throws -> Image {
        let disk = SimulatedDisk(seed: 5)
        let settings = QueueSettings(compression: compression, minFree: 0)
        let queue = try await DurableQueue.open(directory: "/q", settings: settings, world: simulatedWorld(disk))
        for text in DamageTests.texts { _ = try await queue.append(record(text, count: 3)) }
        let places = try await queue.peek(limit: 100).map {
            Int($0.offsets.lowerBound.position)..<Int($0.offsets.upperBound.position)
        }
        if sealed { await queue.close() } else { disk.kill() }
        let files = disk.paths.map { ($0, disk.contents($0) ?? []) }
        let segment = try #require(files.first { $0.0.hasSuffix(".segment") })
        return Image(files: files, segment: segment.0, bytes: segment.1, places: places)
    }

    /// Opens a damaged copy; gives what can be read and what was reported.
    private func open(_ image: Image, _ bytes: [UInt8]) async throws -> (records: [StoredRecord], queue: DurableQueue) {
        let disk = SimulatedDisk(seed: 6)
        for (path, contents) in image.files where path != image.segment { disk.put(contents, in: path) }
        disk.put(bytes, in: image.segment)
        let queue = try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk, seed: 2))
        let records = try await drain(queue)
        #expect(queue.unaccounted == 0)
        return (records, queue)
    }

    private func isReported(_ queue: DurableQueue) -> Bool {
        !queue.recovery.isClean || queue.counters.damagedRanges > 0
    }

    @Test(
        "A flipped byte costs at most the record it lies in, and is reported", arguments: [true, false],
        [QueueSettings.Compression.none, .lz4, .zstd])
    func flips(_ sealed: Bool, _ compression: QueueSettings.Compression) async throws {
        let image = try await image(sealed: sealed, compression: compression)
        for offset in image.bytes.indices {
            for mask in [0xFF, 1 << UInt8(offset % 8)] as [UInt8] {
                var bytes = image.bytes
                bytes[offset] ^= mask
                let (records, queue) = try await open(image, bytes)
                let expected = DamageTests.texts.indices.filter { !image.places[$0].contains(offset) }.map {
                    DamageTests.texts[$0]
                }
                #expect(records.map(text) == expected, "byte \(offset) mask \(mask)")
                if expected.count < DamageTests.texts.count {
                    #expect(isReported(queue), "byte \(offset)")
                    // The sum in the footer, or the next record, tells how much.
                    if sealed { #expect(queue.counters.damagedEvents == 3, "byte \(offset)") }
                }
            }
        }
    }

    @Test(
        "A truncated segment gives the records before the cut", arguments: [true, false],
        [QueueSettings.Compression.none, .lz4, .zstd])
    func truncations(_ sealed: Bool, _ compression: QueueSettings.Compression) async throws {
        let image = try await image(sealed: sealed, compression: compression)
        for length in image.bytes.indices {
            let (records, queue) = try await open(image, Array(image.bytes.prefix(length)))
            let expected = DamageTests.texts.indices.filter { image.places[$0].upperBound <= length }.map {
                DamageTests.texts[$0]
            }
            #expect(records.map(text) == expected, "length \(length)")
            // A cut exactly between two records of an unsealed segment looks like a shorter segment.
            let isBetween = image.places.contains { $0.upperBound == length } || length <= 32
            if !isBetween { #expect(isReported(queue), "length \(length)") }
        }
    }

    @Test(
        "A tail of zeros gives the records before it", arguments: [true, false],
        [QueueSettings.Compression.none, .lz4, .zstd])
    func zeros(_ sealed: Bool, _ compression: QueueSettings.Compression) async throws {
        let image = try await image(sealed: sealed, compression: compression)
        for start in image.bytes.indices.dropLast() {
            let bytes = image.bytes.prefix(start) + Array(repeating: 0, count: image.bytes.count - start)
            let (records, queue) = try await open(image, Array(bytes))
            let expected = DamageTests.texts.indices.filter { image.places[$0].upperBound <= start }.map {
                DamageTests.texts[$0]
            }
            #expect(records.map(text) == expected, "from \(start)")
            if Array(bytes) != image.bytes { #expect(isReported(queue), "from \(start)") }
        }
    }

    @Test("Bytes of a segment inside an event are no records, even when the record around them is damaged")
    func nested() async throws {
        let inner = try await image(sealed: true)
        let disk = SimulatedDisk(seed: 5)
        let queue = try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk, seed: 99))
        // The copy lies at the same position as in its own file: only the salt tells it apart.
        for _ in 0..<3 {
            _ = try await queue.append(
                QueueRecord(payload: ByteBuffer(bytes: inner.bytes), count: 1, time: WallTime(nanoseconds: 0)))
        }
        disk.kill()
        let path = try #require(disk.paths.first { $0.hasSuffix(".segment") })
        var bytes = try #require(disk.contents(path))
        bytes[40] ^= 1
        disk.put(bytes, in: path)
        let again = try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk, seed: 100))
        let records = try await drain(again)
        #expect(records.map { Array($0.payload.readableBytesView) } == [inner.bytes, inner.bytes])
        #expect(isReported(again))
    }

    @Test("A copy of a segment under another name is put aside, and renamed files are read in their order")
    func copies() async throws {
        let image = try await image(sealed: true)
        let disk = SimulatedDisk(seed: 6)
        for (path, contents) in image.files { disk.put(contents, in: path) }
        disk.put(image.bytes, in: "/q/0000000000099999-00000001.segment")
        let queue = try await DurableQueue.open(
            directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk))
        #expect(try await drain(queue).map(text) == DamageTests.texts)
        #expect(queue.recovery.quarantinedFiles == ["0000000000099999-00000001.segment"])
    }

    @Test("A newer format is refused in clear words and left alone")
    func newer() async throws {
        let image = try await image(sealed: false)
        let disk = SimulatedDisk(seed: 6)
        for (path, contents) in image.files { disk.put(contents, in: path) }
        var bytes = image.bytes
        bytes[8] = 2
        bytes[10] = ~2
        disk.put(bytes, in: image.segment)
        let before = disk.paths
        do {
            _ = try await DurableQueue.open(
                directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk))
            Issue.record("it was opened")
        } catch {
            #expect(error.code == "newer_format")
            #expect(error.description.contains("version 2"))
        }
        #expect(disk.contents(image.segment) == bytes)
        #expect(disk.paths == before)
    }

    @Test(
        "Repair makes a damaged queue sound, keeps the damaged bytes, and loses no whole record",
        arguments: [true, false])
    func repair(_ sealed: Bool) async throws {
        let image = try await image(sealed: sealed)
        for offset in stride(from: 0, to: image.bytes.count, by: 3) {
            var bytes = image.bytes
            bytes[offset] ^= 0x55
            let disk = SimulatedDisk(seed: 6)
            for (path, contents) in image.files where path != image.segment { disk.put(contents, in: path) }
            disk.put(bytes, in: image.segment)
            let inspection = QueueInspection(directory: "/q", files: disk)
            let expected = DamageTests.texts.indices.filter { !image.places[$0].contains(offset) }.map {
                DamageTests.texts[$0]
            }
            if expected.count < 6 { #expect(try !inspection.verify().isSound, "byte \(offset)") }
            _ = try inspection.repair()
            let survey = try inspection.verify()
            #expect(survey.isSound, "byte \(offset)")
            if expected.count < 6 { #expect(disk.paths.contains { $0.contains("/quarantine/") }, "byte \(offset)") }
            let queue = try await DurableQueue.open(
                directory: "/q", settings: QueueSettings(minFree: 0), world: simulatedWorld(disk))
            #expect(try await drain(queue).map(text) == expected, "byte \(offset)")
        }
    }
}
