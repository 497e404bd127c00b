internal import NIOCore
internal import WeirFlow
internal import WeirWires

/// One event as HEC wraps it: `{"event": …, "time": …, "host": …, "source": …, "sourcetype": …, "index": …, "fields":
/// {…}}`.
struct HECEnvelope {
    struct Origin: Hashable {
        var host: String?
        var source: String?
        var sourcetype: String?
        var index: String?
    }

    enum Problem: Error { case notAnObject, eventMissing, eventBlank }

    var origin = Origin()
    var kind = EventKind.raw
    var content = ByteBuffer()

    static func read(_ bytes: UnsafeRawBufferPointer) -> Result<HECEnvelope, Problem> {
        guard let members = JSONSplitter.members(of: bytes) else { return .failure(.notAnObject) }
        var envelope = HECEnvelope()
        var event: UnsafeRawBufferPointer?
        var time: UnsafeRawBufferPointer?
        var fields: UnsafeRawBufferPointer?
        for member in members {
            let value = UnsafeRawBufferPointer(rebasing: bytes[member.value])
            switch String(decoding: bytes[member.key].prefix(16), as: UTF8.self) {
            case "event": event = value
            case "time": time = value
            case "fields": fields = value
            case "host": envelope.origin.host = text(value)
            case "source": envelope.origin.source = text(value)
            case "sourcetype": envelope.origin.sourcetype = text(value)
            case "index": envelope.origin.index = text(value)
            default: break
            }
        }
        guard let event else { return .failure(.eventMissing) }
        switch event.first {
        case 0x22:
            guard let text = JSONSplitter.text(of: event) else { return .failure(.notAnObject) }
            guard text.readableBytes > 0 else { return .failure(.eventBlank) }
            envelope.content = text
        case 0x7B:
            guard let own = JSONSplitter.members(of: event) else { return .failure(.notAnObject) }
            guard !own.isEmpty else { return .failure(.eventBlank) }
            envelope.kind = .json
            envelope.content = object(event, own, time: time, fields: fields)
        case 0x6E: return .failure(.eventBlank)
        default: envelope.content = HTTPEventsDoor.oneLine(event)
        }
        return .success(envelope)
    }

    private static func text(_ value: UnsafeRawBufferPointer) -> String? {
        guard value.count <= 1_026, let text = JSONSplitter.text(of: value) else { return nil }
        return String(buffer: text)
    }

    /// The event with `time` and `fields` of the envelope in front, unless it has members of that name.
    private static func object(
        _ event: UnsafeRawBufferPointer, _ own: [(key: Range<Int>, value: Range<Int>)], time: UnsafeRawBufferPointer?,
        fields: UnsafeRawBufferPointer?
    ) -> ByteBuffer {
        func has(_ name: StaticString) -> Bool {
            let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
            return own.contains { event[$0.key].elementsEqual(name) }
        }
        var object = ByteBuffer()
        object.reserveCapacity(event.count + 64)
        object.writeStaticString("{")
        if let time, !has("time") {
            object.writeStaticString("\"time\":")
            JSONSplitter.writeOnOneLine(time, to: &object)
            object.writeStaticString(",")
        }
        if let fields, !has("fields") {
            object.writeStaticString("\"fields\":")
            JSONSplitter.writeOnOneLine(fields, to: &object)
            object.writeStaticString(",")
        }
        JSONSplitter.writeOnOneLine(UnsafeRawBufferPointer(rebasing: event[1...]), to: &object)
        return object
    }
}

/// Gathers events of one origin and kind in one batch, in the order in which the origins first came. At most 256
/// origins at a time: a body with more makes more batches, not more memory.
struct HECGathering {
    private struct Key: Hashable {
        var origin: HECEnvelope.Origin
        var kind: EventKind
    }

    private let context: (HECEnvelope.Origin) -> BatchContext
    private var places: [Key: Int] = [:]
    private var builders: [BatchBuilder] = []

    init(context: @escaping (HECEnvelope.Origin) -> BatchContext) { self.context = context }

    mutating func add(_ envelope: HECEnvelope) {
        let key = Key(origin: envelope.origin, kind: envelope.kind)
        if let place = places[key] {
            builders[place].append(envelope.content)
            return
        }
        if places.count == 256 { places = [:] }
        places[key] = builders.count
        var context = context(envelope.origin)
        context.kind = envelope.kind
        builders.append(BatchBuilder(context: context))
        builders[builders.count - 1].append(envelope.content)
    }

    mutating func finish() -> [Batch] {
        defer {
            places = [:]
            builders = []
        }
        return builders.indices.map { builders[$0].finish() }
    }
}
