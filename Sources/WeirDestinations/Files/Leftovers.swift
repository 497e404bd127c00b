import CWeirSystem
import Glibc
import NIOCore
import WeirWires

/// Files that a crash left in the staging directory: cut to what is whole, and moved to the output directory.
///
/// Plain files end after their last line feed, packed ones after their last whole member or frame. What is cut off was
/// never acknowledged (with `durability: commit`), so its batch comes again.
struct Leftovers {
    let staging: OutputTree
    let output: OutputTree
    let compression: FileCompression
    let lockName: String

    func finish() throws(OutputFailure) { try finish([], depth: 0) }

    private func finish(_ partition: [String], depth: Int) throws(OutputFailure) {
        let names = try staging.with(partition, create: false) { (directory) throws(OutputFailure) in
            try OutputTree.names(in: directory, of: staging.path)
        }
        for name in names where !(depth == 0 && name == lockName) {
            let kind = try staging.with(partition, create: false) { (directory) throws(OutputFailure) in
                weir_kind_beneath(directory, name)
            }
            // Links and devices are none of ours; they stay where they are.
            if kind == 2, depth < PartitionPath.depthMost {
                try finish(partition + [name], depth: depth + 1)
                staging.prune(partition + [name])
            } else if kind == 1 {
                try finish(file: name, in: partition)
            }
        }
    }

    private func finish(file name: String, in partition: [String]) throws(OutputFailure) {
        let whole = try staging.with(partition, create: false) { (directory) throws(OutputFailure) in
            let descriptor = weir_reopen_beneath(directory, name)
            if descriptor < 0 { throw OutputFailure(-descriptor, "open `\(name)` in the staging directory") }
            defer { Glibc.close(descriptor) }
            let whole = WholePart.length(of: descriptor, packedAs: WholePart.coding(of: name))
            if ftruncate(descriptor, off_t(whole)) != 0 || fdatasync(descriptor) != 0 {
                throw OutputFailure(errno, "repair `\(name)` in the staging directory")
            }
            if whole == 0 { _ = weir_remove_beneath(directory, name, 0) }
            return whole
        }
        if whole > 0 { try OutputMove.move(name, partition, from: staging, to: output, syncs: true) }
    }
}

/// How much of a file is whole.
enum WholePart {
    /// By the name, not by the settings: those may have changed since.
    static func coding(of name: String) -> ContentCoding? {
        name.hasSuffix(".gz") ? .gzip : name.hasSuffix(".zst") ? .zstd : nil
    }

    static func length(of descriptor: Int32, packedAs coding: ContentCoding?) -> Int64 {
        guard let coding else { return afterLastLineFeed(descriptor) }
        return afterLastMember(descriptor, coding)
    }

    private static let stepBytes = 1 << 20

    private static func afterLastLineFeed(_ descriptor: Int32) -> Int64 {
        var end = Int64(lseek(descriptor, 0, SEEK_END))
        var buffer = [UInt8](repeating: 0, count: stepBytes)
        while end > 0 {
            let start = max(0, end - Int64(stepBytes))
            let count = pread(descriptor, &buffer, Int(end - start), off_t(start))
            if count <= 0 { return 0 }
            if let place = buffer[..<count].lastIndex(of: 0x0A) { return start + Int64(place) + 1 }
            end = start
        }
        return 0
    }

    private static func afterLastMember(_ descriptor: Int32, _ coding: ContentCoding) -> Int64 {
        // Our own file, and nothing of it is kept: only what is in one step is in memory.
        let limits = CompressionDecoder.Limits(bytesMost: .max / 2, ratioMost: .max, ratioFrom: .max / 2)
        guard let decoder = try? CompressionDecoder(coding, limits: limits) else { return 0 }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var offset: off_t = 0
        while true {
            let count = pread(descriptor, &buffer, buffer.count, offset)
            if count <= 0 { break }
            offset += off_t(count)
            var plain = ByteBuffer()
            do throws(CompressionFailure) {
                try decoder.append(ByteBuffer(bytes: buffer[..<count]), to: &plain)
            } catch { break }
        }
        return Int64(decoder.bytesInWhole)
    }
}
