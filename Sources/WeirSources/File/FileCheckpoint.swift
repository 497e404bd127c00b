import WeirWorld

/// How far a file has been read, and by what it is known again: device, inode, and a check of its first bytes, because
/// inodes are given out again.
struct FileCheckpoint: Sendable, Hashable {
    var device: UInt64
    var inode: UInt64
    /// Of the first `headLength` bytes.
    var headLength: Int
    var headCheck: UInt64
    /// Everything before it is safe.
    var offset: Int64
    /// Where it was; another file there after a restart has taken its place meanwhile.
    var path: String

    static let headMost = 256

    func isOf(_ file: FileStatus) -> Bool { device == file.device && inode == file.inode }

    /// True when a file with these first bytes may be the one, or a copy of it.
    func begins(_ head: [UInt8]) -> Bool {
        headLength <= head.count && FileCheckpoint.check(head.prefix(headLength)) == headCheck
    }

    /// FNV-1a, 64 bits: it tells files apart, nobody attacks it.
    static func check(_ bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

/// The checkpoints of one source as text: a line of five numbers and the path a file. A path with a line feed is left
/// out.
///
///     weir-files 1
///     <device> <inode> <head length> <head check> <offset> <path>
enum FileCheckpoints {
    static func bytes(_ checkpoints: [FileCheckpoint]) -> [UInt8] {
        var text = "weir-files 1\n"
        for each in checkpoints {
            let path = each.path.utf8.contains(0x0A) ? "" : each.path
            text += "\(each.device) \(each.inode) \(each.headLength) \(each.headCheck) \(each.offset) \(path)\n"
        }
        return Array(text.utf8)
    }

    /// Lines that make no sense are left out: those files are read from where `from` says.
    static func read(_ bytes: [UInt8]) -> [FileCheckpoint] {
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard lines.first == "weir-files 1" else { return [] }
        lines.removeFirst()
        return lines.compactMap { line in
            let numbers = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: false)
            guard numbers.count >= 5, let device = UInt64(numbers[0]), let inode = UInt64(numbers[1]),
                let length = Int(numbers[2]), (0...FileCheckpoint.headMost).contains(length),
                let check = UInt64(numbers[3]), let offset = Int64(numbers[4]), offset >= 0
            else { return nil }
            return FileCheckpoint(
                device: device, inode: inode, headLength: length, headCheck: check, offset: offset,
                path: numbers.count > 5 ? String(numbers[5]) : "")
        }
    }
}
