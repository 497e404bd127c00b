/// A name that stands for a compact record (`hr`, `old.ad`): which one of those that an evaluation is given, and what
/// its attributes are.
///
/// Beside its attributes a record has `_anchor` and `_name` (what identifies it, what its silo calls it); `dn` is
/// `_name` where no attribute has that name.
package struct RecordVariable: Sendable {
    /// Its place among the records of an evaluation.
    package var slot: Int
    package var names: AttributeNames
    /// Attributes that are lists, in lower case; all others are strings.
    package var lists: Set<String>
    /// All attributes that there can be, where that is known: others are a problem when the expression is read.
    package var known: Set<String>?

    package init(slot: Int, names: AttributeNames, lists: Set<String> = [], known: Set<String>? = nil) {
        self.slot = slot
        self.names = names
        self.lists = lists
        self.known = known
    }
}

/// One attribute that an expression asks for, found by number.
struct AttributePath: Sendable {
    enum Part: Sendable, Equatable {
        case attribute(UInt16)
        case anchor, name
    }

    let slot: Int
    let part: Part
    let isList: Bool
    /// The answer is an optional.
    let isOptional: Bool
    /// As it is written: `hr.title`.
    let shown: String

    init(_ variable: RecordVariable, _ variableName: String, _ field: String, isOptional: Bool) {
        let name = String(decoding: field.utf8.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }, as: UTF8.self)
        slot = variable.slot
        switch name {
        case "_anchor": part = .anchor
        case "_name": part = .name
        case "dn" where variable.known?.contains("dn") != true: part = .name
        default: part = .attribute(variable.names.number(of: name))
        }
        if case .attribute = part { isList = variable.lists.contains(name) } else { isList = false }
        self.isOptional = isOptional
        shown = variableName + "." + name
    }

    @inline(__always)
    func record(in frame: inout Frame) -> AttributeRecord {
        guard slot < frame.records.count else { return .none }
        return frame.records[slot]
    }

    /// The bytes of a single value; nil where it is not there.
    @inline(__always)
    func text(in frame: inout Frame) throws(ExpressionFailure) -> UnsafeRawBufferPointer? {
        let record = record(in: &frame)
        switch part {
        case .attribute(let number):
            guard let found = record.find(number) else { return nil }
            guard !found.isList else { throw severalValues(found) }
            return found.bytes
        case .anchor: return record.isPresent ? record.anchor : nil
        case .name: return record.isPresent ? record.name : nil
        }
    }

    func value(in frame: inout Frame) throws(ExpressionFailure) -> Value {
        guard let value = try present(in: &frame) else {
            if isOptional { return .optional(nil) }
            throw missing(in: &frame)
        }
        return isOptional ? .optional(value) : value
    }

    private func present(in frame: inout Frame) throws(ExpressionFailure) -> Value? {
        guard isList, case .attribute(let number) = part else {
            return try text(in: &frame).map { .string(String(decoding: $0, as: UTF8.self)) }
        }
        guard let found = record(in: &frame).find(number) else { return nil }
        var values: [Value] = []
        found.forEachValue { values.append(.string(String(decoding: $0, as: UTF8.self))) }
        try frame.spend(values.count)
        return .list(values)
    }

    func isPresent(in frame: inout Frame) -> Bool {
        let record = record(in: &frame)
        if case .attribute(let number) = part { return record.find(number) != nil }
        return record.isPresent
    }

    @inline(never)
    func missing(in frame: inout Frame) -> ExpressionFailure {
        if record(in: &frame).isPresent { return ExpressionFailure(.noSuchKey, shown) }
        return ExpressionFailure(.noSuchKey, "\(shown): there is no such object")
    }

    /// By the schema it has one: a list that happened to hold several is never cut down to the first.
    @inline(never)
    private func severalValues(_ found: AttributeRecord.Found) -> ExpressionFailure {
        ExpressionFailure(
            .invalidArgument, "\(shown) has \(found.texts.count) values, and the silo's schema says that it has one")
    }
}

extension RecordVariable {
    /// The whole record as a map, for expressions that speak of it as such (`hr.exists(k, …)`).
    func map(in frame: inout Frame) throws(ExpressionFailure) -> Value {
        guard slot < frame.records.count, frame.records[slot].isPresent else {
            throw ExpressionFailure(.noSuchKey, "there is no such object")
        }
        let all = names.all
        var map = ValueMap()
        var parts = 0
        frame.records[slot].forEachAttribute { number, found in
            guard Int(number) < all.count else { return }
            let name = all[Int(number)]
            var values: [Value] = []
            found.forEachValue { values.append(.string(String(decoding: $0, as: UTF8.self))) }
            parts += values.count
            if lists.contains(name) || values.count != 1 {
                map[.string(name)] = .list(values)
            } else {
                map[.string(name)] = values[0]
            }
        }
        try frame.spend(1 + parts)
        return .map(map)
    }
}
