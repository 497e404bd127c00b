package import NIOCore

/// What is known of a bundle before its bytes.
package struct BundleHead: Sendable, Hashable {
    package enum Encoding: String, Sendable, Hashable, Codable {
        /// A STIX bundle as JSON.
        case stix
        /// A queue message of OpenCTI: JSON with the bundle in base64 as `content`.
        case message
        /// Events that are no STIX: JSON values, one a line. What a managed connector brings.
        case events
    }

    package var connector: ConnectorID
    package var work: WorkID?
    package var encoding: Encoding
    /// Bytes that will come, when that is known.
    package var byteCount: Int?

    package init(connector: ConnectorID, work: WorkID? = nil, encoding: Encoding, byteCount: Int? = nil) {
        self.connector = connector
        self.work = work
        self.encoding = encoding
        self.byteCount = byteCount
    }
}

/// A bundle in memory.
package struct BundlePush: Sendable {
    package var head: BundleHead
    package var bytes: ByteBuffer

    package init(_ head: BundleHead, bytes: ByteBuffer) {
        self.head = head
        self.bytes = bytes
    }
}
