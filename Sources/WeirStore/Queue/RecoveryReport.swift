/// What opening (or verifying, or repairing) a queue found.
package struct RecoveryReport: Sendable, Hashable {
    /// A run of bytes that is no record.
    package struct Damage: Sendable, Hashable {
        package var offsets: Range<QueueOffset>
        package var segment: String
        /// Events that were lost in it; `nil` when nothing can tell.
        package var events: Int?

        package init(offsets: Range<QueueOffset>, segment: String, events: Int?) {
            self.offsets = offsets
            self.segment = segment
            self.events = events
        }
    }

    package var segments = 0
    /// Segments that had to be read whole, because no footer closed them.
    package var scannedSegments = 0
    /// Not acknowledged, as far as the cursor knows; damaged ones included until they are met.
    package var events: Int64 = 0
    package var bytes: Int64 = 0
    /// Damage that was seen while opening; what lies in sealed segments is seen when it is read.
    package var damages: [Damage] = []
    /// Bytes after the last whole record of an unsealed segment: a write that was cut off, or a truncation.
    package var tornBytes: Int64 = 0
    /// Files that are no segments any more and were put aside whole.
    package var quarantinedFiles: [String] = []
    /// True when the cursor could not be used, so that delivered records may come again.
    package var isCursorLost = false
    package var took: Duration = .zero

    package init() {}

    /// True when nothing unusual was found.
    package var isClean: Bool { damages.isEmpty && tornBytes == 0 && quarantinedFiles.isEmpty && !isCursorLost }
}
