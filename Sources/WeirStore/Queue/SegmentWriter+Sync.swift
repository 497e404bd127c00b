import NIOCore
import WeirWorld

/// Syncs, and what to do when one fails.
///
/// After a failed sync the kernel may have dropped what it could not write and call the rest clean: a second sync of
/// the same file would say yes and mean nothing. So nothing is synced twice. What was not acknowledged is written again
/// from memory (`rewrite`); what was acknowledged without a sync is read back and written to a new file
/// (`replaceOpen`).
extension SegmentWriter {
    func syncOpen() throws(StoreFailure) {
        guard var segment = open else { return }
        do throws(FileFailure) {
            try segment.file.sync()
            if !segment.isDurable { try directory.files.syncDirectory(directory.path) }
        } catch {
            syncFailures &+= 1
            throw StoreFailure(error)
        }
        segment.isDurable = true
        open = segment
        synced = segment.events
        hasUnsynced = false
        mustProve = false
    }

    /// Syncs what was acknowledged without a sync (`interval`).
    /// - Throws: when it failed for good: a power cut may take `doubtfulEvents`, and nothing more is acknowledged
    ///   without a sync until one has worked.
    func syncNow() throws(StoreFailure) {
        guard hasUnsynced, let segment = open else { return }
        do throws(StoreFailure) {
            try syncOpen()
        } catch {
            hasUnsynced = false
            do throws(StoreFailure) {
                try replaceOpen()
                seal()
            } catch let failure {
                mustProve = true
                doubtfulEvents &+= segment.events - synced
                seal()
                throw failure
            }
        }
    }

    /// Puts a synced copy in the place of the open segment: every position stays as it is. The copy is made from what
    /// the page cache still has, and counts only when every record in it is whole.
    private func replaceOpen() throws(StoreFailure) {
        guard var segment = open else { return }
        let path = directory.path(of: SegmentFormat.name(segment.header))
        let beside = path + SegmentFormat.copySuffix
        let files = directory.files
        try attempt { () throws(FileFailure) in
            let old = try files.open(path, .read)
            defer { old.close() }
            let copy = try files.open(beside, .write(create: true, exclusive: false))
            do throws(FileFailure) {
                try copy.truncate(to: 0)
                var place: Int64 = 0
                while place < segment.end {
                    let bytes = try old.bytes(at: place, count: Int(min(segment.end - place, 1 << 20)))
                    if bytes.readableBytes == 0 { break }
                    try copy.write(Array(bytes.readableBytesView), at: place)
                    place += Int64(bytes.readableBytes)
                }
                try copy.sync()
                guard try isWhole(beside, segment) else {
                    throw FileFailure(kind: .broken, operation: "copy", path: path, code: 5)
                }
                try files.rename(beside, to: path)
                try files.syncDirectory(directory.path)
            } catch {
                copy.close()
                try? files.remove(beside)
                throw error
            }
            segment.file.close()
            segment.file = copy
        }
        segment.isDurable = true
        open = segment
    }

    private func isWhole(_ path: String, _ segment: Open) throws(FileFailure) -> Bool {
        let file = try directory.files.open(path, .read)
        defer { file.close() }
        var scanner = SegmentScanner(file: file, header: segment.header, limit: segment.end, keepsBodies: false)
        var records: UInt32 = 0
        while case .record? = try scanner.next() { records &+= 1 }
        return records == segment.records && scanner.offset == segment.end
    }
}
