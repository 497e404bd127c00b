import NIOCore

/// Finds the work that a queue message names.
struct WorkFinder: Sendable {
    private var cutter: MessageCutter? = MessageCutter(reads: false)
    private(set) var work: WorkID?

    mutating func feed(_ bytes: ByteBuffer) {
        guard var cutter else { return }
        self.cutter = nil
        let isSound = bytes.withUnsafeReadableBytes { bytes in
            do throws(BundleMistake) {
                try cutter.feed(bytes)
                return true
            } catch {
                return false
            }
        }
        work = cutter.work
        // What is wrong with it is found, and said, when it is unpacked.
        if isSound { self.cutter = cutter }
    }
}
