import NIOCore
import WeirFlow
import WeirGates

/// Sorts the events of batches into partitions, as lines.
struct BatchParts: Sendable {
    let format: LineFormat
    let partition: EventText?

    /// - Returns: a part per partition in the order of their first events, and the events whose partition cannot be
    ///   computed.
    func cut(_ batches: [Batch]) -> (parts: [FileWriter.Part], failed: [(index: Int, reason: Reason)]) {
        guard let partition else {
            let whole = batches.filter { !$0.isEmpty }
            if whole.isEmpty { return ([], []) }
            return ([FileWriter.Part(partition: .root, lines: joined(whole), indices: [])], [])
        }
        var parts: [FileWriter.Part] = []
        var places = Places()
        var failed: [(index: Int, reason: Reason)] = []
        var base = 0
        for batch in batches {
            // Neighbours mostly share a partition: they are copied in one go.
            var run: (place: Int, start: Int)?
            for index in 0..<batch.count {
                let place: Int?
                do throws(EventText.Failure) {
                    if let open = run, !partition.readsEvent {
                        // The same for all events of a batch.
                        place = open.place
                    } else {
                        let key = try key(of: index, in: batch, partition)
                        place = places.keys[key] ?? add(key, to: &parts, &places)
                    }
                } catch {
                    place = nil
                    failed.append((base + index, Reason("partition_failed", error.sentence)))
                }
                if let open = run, open.place != place {
                    append(batch, open.start..<index, base, to: &parts[open.place])
                    run = nil
                }
                if let place, run == nil { run = (place, index) }
            }
            if let open = run { append(batch, open.start..<batch.count, base, to: &parts[open.place]) }
            base += batch.count
        }
        return (parts, failed)
    }

    private func key(of index: Int, in batch: Batch, _ partition: EventText) throws(EventText.Failure) -> String {
        let range = batch.range(of: index)
        let result = batch.slab.withUnsafeReadableBytes { all -> Result<String, EventText.Failure> in
            do throws(EventText.Failure) {
                return .success(try partition.text(UnsafeRawBufferPointer(rebasing: all[range]), of: batch.context))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Two texts may stand for one directory (`a//b`, `a/b`), so both are remembered.
    private struct Places {
        var keys: [String: Int] = [:]
        var paths: [PartitionPath: Int] = [:]
    }

    private func add(_ key: String, to parts: inout [FileWriter.Part], _ places: inout Places) -> Int {
        let path = PartitionPath(key)
        let place = places.paths[path] ?? parts.count
        if place == parts.count { parts.append(FileWriter.Part(partition: path, lines: ByteBuffer(), indices: [])) }
        places.keys[key] = place
        places.paths[path] = place
        return place
    }

    private func append(_ batch: Batch, _ range: Range<Int>, _ base: Int, to part: inout FileWriter.Part) {
        part.lines.writeImmutableBuffer(format.bytes(of: batch.slice(range)))
        part.indices.append(contentsOf: (base + range.lowerBound)..<(base + range.upperBound))
    }

    private func joined(_ batches: [Batch]) -> ByteBuffer {
        if batches.count == 1, let only = batches.first { return format.bytes(of: only) }
        var lines = ByteBuffer()
        lines.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount })
        for batch in batches { lines.writeImmutableBuffer(format.bytes(of: batch)) }
        return lines
    }
}
