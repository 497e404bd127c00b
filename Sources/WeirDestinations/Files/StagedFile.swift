import CWeirSystem
import Glibc
import NIOCore
import WeirWorld

/// One file that is being written in the staging directory. It knows how far its content is good, so that what a failed
/// write left behind is cut off again.
///
/// `@unchecked Sendable`: it belongs to one lane.
final class StagedFile: @unchecked Sendable {
    let partition: PartitionPath
    let name: String
    let opened: Moment
    private(set) var lastWrite: Moment
    private let descriptor: Int32
    /// Bytes on disk that belong to whole batches.
    private(set) var length: Int64 = 0
    /// Bytes of events, before packing.
    private(set) var eventBytes: Int64 = 0
    private var synced: Int64 = 0
    /// After a failed sync the kernel may have dropped what it held: the file ends at what was synced before.
    private(set) var isRetired = false

    init(_ partition: PartitionPath, name: String, in staging: OutputTree, syncs: Bool, at now: Moment)
        throws(OutputFailure)
    {
        self.partition = partition
        self.name = name
        opened = now
        lastWrite = now
        descriptor = try staging.with(partition.components, create: true, syncs: syncs) {
            (directory) throws(OutputFailure) in
            let descriptor = weir_create_beneath(directory, name)
            if descriptor < 0 { throw OutputFailure(-descriptor, "make a file in `\(staging.path)`") }
            if syncs { fsync(directory) }
            return descriptor
        }
    }

    deinit { Glibc.close(descriptor) }

    var isDirty: Bool { length > synced }

    /// Appends bytes at the end of what is good. After a failure nothing of them is in the file.
    func append(_ bytes: ByteBuffer, eventBytes count: Int, at now: Moment) throws(OutputFailure) {
        let code = bytes.withUnsafeReadableBytes { all -> Int32 in
            var done = 0
            while done < all.count {
                let written = pwrite(
                    descriptor, all.baseAddress.map { $0 + done }, all.count - done, off_t(length) + done)
                if written > 0 {
                    done += written
                } else if written < 0, errno != EINTR {
                    return errno
                } else if written == 0 {
                    return EIO
                }
            }
            return 0
        }
        if code != 0 {
            cut()
            throw OutputFailure(code, "write to the staging directory")
        }
        length += Int64(bytes.readableBytes)
        eventBytes += Int64(count)
        lastWrite = now
    }

    /// Takes back what was appended since a mark, when the rest of the batch failed.
    func rollBack(to mark: Mark) {
        length = mark.length
        eventBytes = mark.eventBytes
        synced = min(synced, length)
        cut()
    }

    struct Mark {
        var length: Int64
        var eventBytes: Int64
    }

    var mark: Mark { Mark(length: length, eventBytes: eventBytes) }

    private func cut() {
        // If even this fails, a torn end stays behind what is good; the next append writes over it.
        _ = ftruncate(descriptor, off_t(length))
    }

    func sync() throws(OutputFailure) {
        guard isDirty else { return }
        while fdatasync(descriptor) != 0 {
            let code = errno
            if code == EINTR { continue }
            isRetired = true
            length = synced
            cut()
            throw OutputFailure(code, "sync a file of the staging directory")
        }
        synced = length
    }
}
