/// Changes as bytes: how they are kept, and the canonical form that a fingerprint is taken of.
///
/// Layout: number of changes, then for each: operation (its place in `Operation.allCases`), silo, type, anchor (0 for
/// none, else 1 and the text), name, new name (as anchor), number of edits; for each edit: attribute, 1 if replaced,
/// removes, adds (a number and the texts). Numbers are LEB128; a text is its length in bytes and its bytes. Equal
/// changes are equal bytes, because edits and values are sorted.
package enum ChangeCode {
    /// What bytes that are no changes are answered with.
    package struct Damage: Error, Sendable {}

    package static func encode(_ changes: [Change]) -> [UInt8] {
        var writer = Writer()
        writer.number(changes.count)
        for change in changes { writer.change(change) }
        return writer.bytes
    }

    package static func decode(_ bytes: some Sequence<UInt8>) throws(Damage) -> [Change] {
        var reader = Reader(bytes: Array(bytes))
        var changes: [Change] = []
        for _ in 0..<(try reader.count()) { changes.append(try reader.change()) }
        return changes
    }

    private struct Writer {
        var bytes: [UInt8] = []

        mutating func number(_ number: Int) {
            var rest = UInt64(number)
            while rest > 127 {
                bytes.append(UInt8(rest & 127) | 128)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }

        mutating func text(_ text: String) {
            var text = text
            text.withUTF8 { utf8 in
                number(utf8.count)
                bytes.append(contentsOf: utf8)
            }
        }

        mutating func optional(_ text: String?) {
            number(text == nil ? 0 : 1)
            if let text { self.text(text) }
        }

        mutating func texts(_ texts: [String]) {
            number(texts.count)
            for text in texts { self.text(text) }
        }

        mutating func change(_ change: Change) {
            number(Change.Operation.allCases.firstIndex(of: change.operation) ?? 0)
            text(change.target.silo)
            text(change.target.type)
            optional(change.anchor)
            text(change.name)
            optional(change.newName)
            number(change.edits.count)
            for edit in change.edits {
                text(edit.attribute)
                number(edit.isReplaced ? 1 : 0)
                texts(edit.removes)
                texts(edit.adds)
            }
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        mutating func number() throws(Damage) -> Int {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while at < bytes.count, shift < 63 {
                let byte = bytes[at]
                at += 1
                value |= UInt64(byte & 127) << shift
                if byte < 128 { return Int(value) }
                shift += 7
            }
            throw Damage()
        }

        /// Of things that take a byte each at least: what is left bounds it.
        mutating func count() throws(Damage) -> Int {
            let number = try number()
            guard number <= bytes.count - at else { throw Damage() }
            return number
        }

        mutating func text() throws(Damage) -> String {
            let length = try count()
            defer { at += length }
            return String(decoding: bytes[at..<(at + length)], as: UTF8.self)
        }

        mutating func optional() throws(Damage) -> String? { try number() == 0 ? nil : try text() }

        mutating func texts() throws(Damage) -> [String] {
            var texts: [String] = []
            for _ in 0..<(try count()) { texts.append(try text()) }
            return texts
        }

        mutating func change() throws(Damage) -> Change {
            let place = try number()
            guard Change.Operation.allCases.indices.contains(place) else { throw Damage() }
            let kind = ObjectKind(silo: try text(), type: try text())
            let (anchor, name, newName) = (try optional(), try text(), try optional())
            var edits: [Change.Edit] = []
            for _ in 0..<(try count()) {
                let (attribute, isReplaced) = (try text(), try number() == 1)
                edits.append(
                    Change.Edit(
                        attribute: attribute, removes: try texts(), adds: try texts(), isReplaced: isReplaced))
            }
            return Change(
                operation: Change.Operation.allCases[place], target: kind, anchor: anchor, name: name,
                newName: newName, edits: edits)
        }
    }
}
