package import NIOCore
package import WeirFlow
import WeirSettings
import WeirWires

/// How events become lines.
package enum LineFormat: String, SettingChoice, Sendable {
    case lines
    case ndjson

    package var help: String {
        switch self {
        case .lines: "Each event as it is, one a line."
        case .ndjson: "Each event as a JSON object, one a line; what is no JSON becomes `{\"message\": …}`."
        }
    }

    /// The batch as lines, each with its line feed. Shares the slab, without a copy, where the batch is already that.
    ///
    /// A line feed inside an event would cut it in two at the receiver. In JSON it can only stand between tokens and
    /// becomes a space, which changes nothing; in other text it is written as `\n` (two characters).
    package func bytes(of batch: Batch) -> ByteBuffer {
        if self == .ndjson, batch.kind != .json { return LineFormat.wrapped(batch) }
        guard batch.framing == .bare else { return batch.slab }
        return LineFormat.unfolded(batch)
    }

    private static func unfolded(_ batch: Batch) -> ByteBuffer {
        var lines = ByteBuffer()
        lines.reserveCapacity(batch.byteCount + batch.count * 2)
        batch.slab.withUnsafeReadableBytes { all in
            for index in 0..<batch.count {
                writeLine(
                    UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)]), isJSON: batch.kind == .json,
                    to: &lines)
            }
        }
        return lines
    }

    private static func writeLine(_ event: UnsafeRawBufferPointer, isJSON: Bool, to lines: inout ByteBuffer) {
        LineFeeds.replace(in: event, by: isJSON ? " " : "\\n", to: &lines)
        lines.writeInteger(0x0A as UInt8)
    }

    private static func wrapped(_ batch: Batch) -> ByteBuffer {
        var lines = ByteBuffer()
        lines.reserveCapacity(batch.byteCount + batch.count * 20)
        batch.slab.withUnsafeReadableBytes { all in
            for index in 0..<batch.count {
                EventJSON.write(
                    UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)]), of: batch.context, to: &lines)
                lines.writeInteger(0x0A as UInt8)
            }
        }
        return lines
    }
}
