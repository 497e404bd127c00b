import NIOCore
import WeirCalls
import WeirFlow
import WeirGates
import WeirWires

/// The body of a bulk request: an action line and a document line per event.
struct BulkBody: Sendable {
    var action: ElasticsearchDestination.Action
    var index: TextOfEvent
    var id: TextOfEvent?

    func encode(_ batches: [Batch]) -> EventwiseBody {
        let fixed = fixedLine
        return EventwiseBody(
            batches, overhead: 64, prepare: { _ in },
            write: { event, batch, _, bytes throws(EventText.Failure) in
                if let fixed {
                    bytes.writeImmutableBuffer(fixed)
                } else {
                    try writeLine(event, batch.context, &bytes)
                }
                EventJSON.write(event, of: batch.context, to: &bytes)
                bytes.writeInteger(0x0A as UInt8)
            })
    }

    /// The action line when it is the same for all events.
    private var fixedLine: ByteBuffer? {
        guard case .fixed(let index) = index, id == nil else { return nil }
        var line = ByteBuffer()
        line.writeString("{\"\(action.rawValue)\":{\"_index\":")
        JSONText.write(index, to: &line)
        line.writeStaticString("}}\n")
        return line
    }

    private func writeLine(
        _ event: UnsafeRawBufferPointer, _ context: BatchContext, _ bytes: inout ByteBuffer
    ) throws(EventText.Failure) {
        bytes.writeString("{\"\(action.rawValue)\":{\"_index\":")
        JSONText.write(try index.text(event, of: context), to: &bytes)
        if let id {
            bytes.writeStaticString(",\"_id\":")
            JSONText.write(try id.text(event, of: context), to: &bytes)
        }
        bytes.writeStaticString("}}\n")
    }
}

enum BulkAnswer {
    private static let allWell = Array("\"errors\":false".utf8)

    /// - Returns: `nil` when it is no bulk answer for so many items.
    static func report(
        _ body: ByteBuffer, action: ElasticsearchDestination.Action, indices: [Int]
    ) -> DeliveryReport? {
        // The common case is told by the first bytes; the items need not be read.
        let head = body.readableBytesView.prefix(256)
        if head.first == UInt8(ascii: "{"), head.indices.contains(where: { head[$0...].starts(with: allWell) }) {
            return .delivered
        }
        guard let answer = AnswerJSON(body) else { return nil }
        if answer.bool("errors") == false { return .delivered }
        guard let items = answer.items("items"), items.count == indices.count else { return nil }
        var report = DeliveryReport()
        for (item, index) in zip(items, indices) {
            guard let status = item.int("status") else { return nil }
            switch status {
            case 200...299: break
            case 409 where action == .create: break
            case 429, 500...599: report.postponed.append((index, reason(status, item)))
            default: report.rejected.append((index, reason(status, item)))
            }
        }
        return report
    }

    private static func reason(_ status: Int, _ item: AnswerJSON) -> Reason {
        let error = item.object("error")
        let said = [error?.text("type"), error?.text("reason")].compactMap { $0 }.joined(separator: ": ")
        let text = AnswerText.clean(ByteBuffer(string: said), secrets: [])
        // The code becomes a label: only statuses that HTTP has.
        let code = (400...599).contains(status) ? "item_\(status)" : "item_refused"
        return Reason(
            code,
            text.isEmpty ? "The item was answered with \(status)." : "The item was answered with \(status): \(text)")
    }
}
