import CZlib
import CZstd
package import NIOCore

/// How a body or a file is packed. The raw values are the tokens of HTTP's `Content-Encoding` (RFC 9110 section 8.4.1).
package enum ContentCoding: String, Sendable, Hashable, CaseIterable {
    case gzip
    /// RFC 1950 (zlib). What comes in without the zlib header (RFC 1951), as some clients send it, is read too.
    case deflate
    case zstd
}

/// Why bytes could not be packed or unpacked. Nothing of it is the process's fault but `unavailable`.
package enum CompressionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Not what the coding says, or damaged.
    case corrupt(String)
    /// It ended in the middle.
    case truncated
    /// More than this many bytes come out.
    case tooLarge(limit: Int)
    /// More than this many bytes come out for each byte that went in: a bomb.
    case tooDense(ratio: Int)
    /// The library has no memory for its state.
    case unavailable

    package var description: String {
        switch self {
        case .corrupt(let what): "the compressed data is damaged: \(what)"
        case .truncated: "the compressed data ends in the middle"
        case .tooLarge(let limit): "more than \(limit) bytes come out of the compressed data"
        case .tooDense(let ratio): "more than \(ratio) bytes come out for each compressed byte"
        case .unavailable: "there is no memory for the compression"
        }
    }
}

/// Packs in one go.
package enum Compression {
    /// - Parameter level: 1 (fast) to 9 for gzip and deflate, 1 to 19 for zstd; `nil` for fast (gzip 1, zstd 1), which
    /// on logs gives most of the gain at a fraction of the time.
    package static func encode(
        _ bytes: ByteBuffer, _ coding: ContentCoding, level: Int32? = nil
    ) throws(CompressionFailure) -> ByteBuffer {
        let encoder = try CompressionEncoder(coding, level: level)
        var packed = ByteBuffer()
        packed.reserveCapacity(bytes.readableBytes / 4 + 64)
        try encoder.append(bytes, to: &packed)
        try encoder.finish(to: &packed)
        return packed
    }

    /// Unpacks in one go, within the limits of a `CompressionDecoder`.
    package static func decode(
        _ bytes: ByteBuffer, _ coding: ContentCoding, limits: CompressionDecoder.Limits = .init()
    ) throws(CompressionFailure) -> ByteBuffer {
        let decoder = try CompressionDecoder(coding, limits: limits)
        var plain = ByteBuffer()
        try decoder.append(bytes, to: &plain)
        try decoder.finish()
        return plain
    }
}
