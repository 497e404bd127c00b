package import WeirWorld

/// What the bytes of a record are. A record that begins with `{` is looked at as JSON whether it is `raw` or `json`.
package enum RecordKind: UInt8, Sendable {
    case raw, json, syslog
}

/// One record as an expression sees it. It borrows the bytes: keep it no longer than they live.
package struct RecordView {
    package var bytes: UnsafeRawBufferPointer
    package var kind: RecordKind
    /// Name of the source.
    package var source: String
    /// Attributes of the batch.
    package var meta: [String: String]
    /// When the record came in: what `event.time` falls back to.
    package var received: WallTime

    package init(
        bytes: UnsafeRawBufferPointer, kind: RecordKind, source: String = "", meta: [String: String] = [:],
        received: WallTime = WallTime(nanoseconds: 0)
    ) {
        self.bytes = bytes
        self.kind = kind
        self.source = source
        self.meta = meta
        self.received = received
    }
}
