import NIOCore
import WeirFlow
import WeirWires
import WeirWorld

/// The envelope of Splunk's collector:
/// `{"time":…,"host":…,"source":…,"sourcetype":…,"index":…,"event":…}`.
struct HECEnvelope: Sendable {
    var index: TextOfEvent?
    var source: TextOfEvent?
    var sourcetype: TextOfEvent?
    var host: TextOfEvent?

    func encode(_ batches: [Batch]) -> EventwiseBody {
        EventwiseBody(
            batches, overhead: 80,
            prepare: { batch in
                (
                    head: "{\"time\":\(EpochText.seconds(batch.context.received))",
                    source: source ?? .fixed(batch.context.source)
                )
            },
            write: { event, batch, common, body throws(EventText.Failure) in
                body.writeString(common.head)
                try Self.write("host", host, event, batch.context, &body)
                try Self.write("source", common.source, event, batch.context, &body)
                try Self.write("sourcetype", sourcetype, event, batch.context, &body)
                try Self.write("index", index, event, batch.context, &body)
                body.writeStaticString(",\"event\":")
                // Text goes as a string, which Splunk shows as the raw event; JSON as an object.
                if batch.kind == .json {
                    EventJSON.write(event, of: batch.context, to: &body)
                } else {
                    JSONText.write(event, to: &body)
                }
                body.writeStaticString("}\n")
            })
    }

    private static func write(
        _ name: StaticString, _ text: TextOfEvent?, _ event: UnsafeRawBufferPointer, _ context: BatchContext,
        _ body: inout ByteBuffer
    ) throws(EventText.Failure) {
        guard let text = try text?.text(event, of: context), !text.isEmpty else { return }
        body.writeStaticString(",\"")
        body.writeStaticString(name)
        body.writeStaticString("\":")
        JSONText.write(text, to: &body)
    }
}

enum EpochText {
    /// `1763726400.250`.
    static func seconds(_ wall: WallTime) -> String {
        let milliseconds = max(wall.nanoseconds, 0) / 1_000_000
        return "\(milliseconds / 1_000)." + CivilDate.padded(Int(milliseconds % 1_000), 3)
    }
}
