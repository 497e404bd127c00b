import NIOCore
import WeirWorld

/// The bytes of a segment, also where the disk does not give all of them back.
struct SegmentBytes {
    /// Disks and the page cache fail in pieces of this size, aligned to it.
    static let block: Int64 = 4_096

    let file: any FileHandle
    /// True: blocks that cannot be read count as zeros, and so as damage like any other. False: they are a failure.
    let skipsUnreadable: Bool
    /// What was taken for zeros so far, in bytes.
    private(set) var unreadable: Int64 = 0

    init(_ file: any FileHandle, skipsUnreadable: Bool) {
        self.file = file
        self.skipsUnreadable = skipsUnreadable
    }

    /// A fresh buffer with the bytes at an offset; shorter at the end of the file.
    mutating func read(at offset: Int64, count: Int) throws(FileFailure) -> ByteBuffer {
        do throws(FileFailure) {
            return try file.bytes(at: offset, count: count)
        } catch {
            guard skipsUnreadable, error.kind == .broken else { throw error }
            return try readInBlocks(at: offset, count: count)
        }
    }

    private mutating func readInBlocks(at offset: Int64, count: Int) throws(FileFailure) -> ByteBuffer {
        var all = ByteBuffer()
        all.reserveCapacity(count)
        let end = offset + Int64(count)
        var place = offset
        while place < end {
            let length = Int(min(end, (place / SegmentBytes.block + 1) * SegmentBytes.block) - place)
            do throws(FileFailure) {
                var piece = try file.bytes(at: place, count: length)
                let isLast = piece.readableBytes < length
                all.writeBuffer(&piece)
                if isLast { break }
            } catch {
                guard error.kind == .broken else { throw error }
                all.writeRepeatingByte(0, count: length)
                unreadable += Int64(length)
            }
            place += Int64(length)
        }
        return all
    }
}

extension FileHandle {
    /// A fresh buffer with the bytes at an offset; shorter at the end of the file.
    func bytes(at offset: Int64, count: Int) throws(FileFailure) -> ByteBuffer {
        var buffer = ByteBuffer()
        var failure: FileFailure?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            do throws(FileFailure) {
                return try read(into: UnsafeMutableRawBufferPointer(rebasing: target[..<count]), at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return buffer
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(FileFailure) {
        var failure: FileFailure?
        bytes.withUnsafeBytes { bytes in
            do throws(FileFailure) { try write([bytes], at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
