/// Objects of one kind, as compact records in one run of bytes: what a scan hands over and what is kept.
///
/// A record: `u32` length of what follows, `u16` length and bytes of the anchor, `u16` length and bytes of the name,
/// `u16` number of attributes, then for each attribute (sorted by name): `u8` length and bytes of the lower-case name,
/// `u16` number of values, each `u32` length and bytes. All little-endian. Values are sorted, so that equal objects are
/// equal bytes.
package struct RecordBatch: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Where each record begins in `bytes`, at its length.
    package private(set) var starts: [Int] = []

    package init() {}

    package var count: Int { starts.count }

    package mutating func reserve(_ byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
    }
}
