import NIOCore
import WeirFlow
import WeirSettings

/// How a batch becomes the body of a request.
package enum HTTPFormat: String, SettingChoice, Sendable {
    case ndjson
    case jsonArray = "json_array"
    case raw
    case template

    package var help: String {
        switch self {
        case .ndjson: "A JSON object a line. JSON passes as it is; text becomes `{\"message\": …}`."
        case .jsonArray: "One JSON array of the same objects."
        case .raw: "Each event as it is, with a line feed after it."
        case .template: "What the expression `template` gives for each event, with a line feed after it."
        }
    }

    var contentType: String {
        switch self {
        case .ndjson: "application/x-ndjson"
        case .jsonArray: "application/json"
        case .raw, .template: "text/plain; charset=utf-8"
        }
    }
}

enum HTTPBody {
    /// One body for all of the batches. A single newline-framed batch of JSON is the body, without a copy.
    static func ndjson(_ batches: [Batch]) -> ByteBuffer { joined(batches) { LineFormat.ndjson.bytes(of: $0) } }

    static func raw(_ batches: [Batch]) -> ByteBuffer {
        joined(batches) { batch in
            if batch.framing == .newline { return batch.slab }
            var bytes = ByteBuffer()
            bytes.reserveCapacity(batch.byteCount + batch.count)
            for index in 0..<batch.count {
                bytes.writeImmutableBuffer(batch.event(at: index))
                bytes.writeInteger(0x0A as UInt8)
            }
            return bytes
        }
    }

    static func jsonArray(_ batches: [Batch]) -> ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(batches.reduce(2) { $0 + $1.byteCount + $1.count })
        body.writeInteger(UInt8(ascii: "["))
        for batch in batches where !batch.isEmpty {
            if body.readableBytes > 1 { body.writeInteger(UInt8(ascii: ",")) }
            writeElements(batch, to: &body)
        }
        body.writeInteger(UInt8(ascii: "]"))
        return body
    }

    private static func writeElements(_ batch: Batch, to body: inout ByteBuffer) {
        if batch.kind == .json, batch.framing == .newline {
            // The lines in one copy, then a comma over each line feed but the last, which goes.
            let start = body.writerIndex
            body.writeImmutableBuffer(batch.slab)
            body.moveWriterIndex(to: body.writerIndex - 1)
            for end in batch.ends.dropLast() { body.setInteger(UInt8(ascii: ","), at: start + Int(end) - 1) }
            return
        }
        batch.slab.withUnsafeReadableBytes { all in
            for index in 0..<batch.count {
                if index > 0 { body.writeInteger(UInt8(ascii: ",")) }
                EventJSON.write(
                    UnsafeRawBufferPointer(rebasing: all[batch.range(of: index)]), of: batch.context, to: &body)
            }
        }
    }

    /// What an expression gives for each event, with a line feed after it.
    static func template(_ batches: [Batch], _ template: EventText) -> EventwiseBody {
        EventwiseBody(
            batches, overhead: 1, prepare: { _ in },
            write: { event, batch, _, body throws(EventText.Failure) in
                body.writeString(try template.text(event, of: batch.context))
                body.writeInteger(0x0A as UInt8)
            })
    }

    private static func joined(_ batches: [Batch], _ encode: (Batch) -> ByteBuffer) -> ByteBuffer {
        if batches.count == 1, let only = batches.first { return encode(only) }
        var body = ByteBuffer()
        body.reserveCapacity(batches.reduce(0) { $0 + $1.byteCount })
        for batch in batches { body.writeImmutableBuffer(encode(batch)) }
        return body
    }
}
