import WeirExpressions
import WeirWorld

/// A condition with its `Count(…)` calls taken out.
///
/// The language has no side effects: an evaluator may take either side of `&&` first, fold, or evaluate again. So each
/// `Count(expr, "context", period)` becomes a variable (`count__0`), and the condition is evaluated in three passes:
/// all Booleans (in any order, many threads), then the counters one identity after the other in the rule's order, then
/// the rest of the condition. A counter therefore counts by its own Boolean alone, whatever stands round it.
package struct CountSlots: Sendable, Hashable {
    package struct Slot: Sendable, Hashable {
        package var variable: String
        package var expression: String
        package var context: String
        package var period: Duration
    }

    package struct Problem: Error, Sendable, Hashable {
        package var text: String
    }

    /// The condition, with variables in place of the calls.
    package private(set) var rest: String
    package private(set) var slots: [Slot] = []

    /// - Throws: where a call is not `Count(Boolean, "constant", constant duration over 0)`.
    package init(_ source: String) throws(Problem) {
        let text = Array(source.utf8)
        var rest: [UInt8] = []
        var at = 0
        while at < text.count {
            if let end = Scan.literal(text, at) {
                rest += text[at..<end]
                at = end
                continue
            }
            guard let opening = Scan.call(text, at) else {
                rest.append(text[at])
                at += 1
                continue
            }
            guard let (parts, end) = Scan.arguments(text, after: opening) else {
                throw Problem(text: "`Count(` has no end")
            }
            let slot = try Self.slot(parts, number: slots.count)
            slots.append(slot)
            rest += Array(slot.variable.utf8)
            at = end
        }
        self.rest = String(decoding: rest, as: UTF8.self)
    }

    private static func slot(_ parts: [String], number: Int) throws(Problem) -> Slot {
        guard parts.count == 3 else {
            throw Problem(
                text: "Count takes a Boolean, the name of its context and a period, as in "
                    + "`Count(has(hr.id), \"new\", duration(\"1h\"))`; it was given \(parts.count)")
        }
        if let inner = try? CountSlots(parts[0]), !inner.slots.isEmpty {
            throw Problem(text: "a Count within a Count has no meaning")
        }
        guard case .string(let context)? = constant(parts[1]), !context.isEmpty else {
            throw Problem(text: "the context of Count must be a text that stands there, not `\(parts[1])`")
        }
        let period: Duration
        switch constant(parts[2]) {
        case .duration(let span)?: period = .nanoseconds(span.nanoseconds)
        case .string(let text)?:
            guard let read = try? ThrottleSetting.duration(text) else { fallthrough }
            period = read
        default:
            throw Problem(
                text: "the period of Count must be a constant, as in `duration(\"1h\")`, not `\(parts[2])`")
        }
        guard period > .zero else { throw Problem(text: "the period of Count must be over 0") }
        return Slot(variable: "count__\(number)", expression: parts[0], context: context, period: period)
    }

    private static func constant(_ source: String) -> Value? {
        guard let expression = try? Expression(source, environment: .bindings([], checking: .strict)) else {
            return nil
        }
        return try? expression.evaluate(bindings: [:])
    }

    /// Reads as much of the language as finding a call needs: literals, comments, brackets.
    private enum Scan {
        /// The end of a text literal or comment that begins here.
        static func literal(_ text: [UInt8], _ at: Int) -> Int? {
            let byte = text[at]
            if byte == UInt8(ascii: "/"), at + 1 < text.count, text[at + 1] == byte {
                return text[at...].firstIndex(of: 10) ?? text.count
            }
            guard byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") else { return nil }
            let isRaw = at > 0 && text[at - 1] | 0x20 == UInt8(ascii: "r")
            let isTriple = at + 2 < text.count && text[at + 1] == byte && text[at + 2] == byte
            let quotes = isTriple ? 3 : 1
            var place = at + quotes
            while place < text.count {
                if text[place] == UInt8(ascii: "\\"), !isRaw {
                    place += 2
                    continue
                }
                if text[place] == byte, place + quotes <= text.count,
                    text[place..<(place + quotes)].allSatisfy({ $0 == byte })
                {
                    return place + quotes
                }
                place += 1
            }
            return text.count
        }

        /// The place after `Count(` where it is a call of the function, not part of a name or a method.
        static func call(_ text: [UInt8], _ at: Int) -> Int? {
            let name = Array("Count".utf8)
            guard at + name.count < text.count, Array(text[at..<(at + name.count)]) == name else { return nil }
            if at > 0, isPart(text[at - 1]) || text[at - 1] == UInt8(ascii: ".") { return nil }
            var place = at + name.count
            while place < text.count, text[place] == 32 { place += 1 }
            return place < text.count && text[place] == UInt8(ascii: "(") ? place + 1 : nil
        }

        static func arguments(_ text: [UInt8], after opening: Int) -> (parts: [String], end: Int)? {
            var depth = 0
            var parts: [String] = []
            var start = opening
            var at = opening
            func part(_ end: Int) -> String {
                let bytes = text[start..<end].drop { $0 == 32 || $0 == 10 }
                return String(decoding: bytes.reversed().drop { $0 == 32 || $0 == 10 }.reversed(), as: UTF8.self)
            }
            while at < text.count {
                if let end = literal(text, at) {
                    at = end
                    continue
                }
                switch text[at] {
                case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: ")") where depth == 0:
                    parts.append(part(at))
                    return (parts, at + 1)
                case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
                case UInt8(ascii: ",") where depth == 0:
                    parts.append(part(at))
                    start = at + 1
                default: break
                }
                at += 1
            }
            return nil
        }

        private static func isPart(_ byte: UInt8) -> Bool {
            byte == 95 || (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122)
        }
    }
}
