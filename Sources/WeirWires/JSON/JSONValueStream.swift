/// Finds where JSON values begin and end in a text that comes piece by piece: concatenated values with white space (or
/// one comma) between, or the elements of one array.
///
/// Each byte is looked at once, however the text is cut; what a value holds is not checked (`JSONSplitter`). The caller
/// keeps the bytes from `consumed` on and puts them in front of the next piece. A value longer than `valueMost` is not
/// kept: it is counted and passed over.
package struct JSONValueStream: Sendable {
    private enum Place {
        /// Before the first value: an array may open.
        case start
        /// Between values; the comma that may follow a value is still to come or not.
        case between(mayComma: Bool)
        case word
        case string(isEscaped: Bool)
        case nested(depth: Int)
        case nestedString(depth: Int, isEscaped: Bool)
        /// Behind the array.
        case end
        case broken
    }

    private let valueMost: Int
    private var place = Place.start
    private var isArray = false
    /// Where the current value begins, or the next byte to look at lies, from the front of the kept bytes.
    private var valueStart = 0
    private var scanned = 0
    private var isPassedOver = false
    private var bytesBefore = 0

    /// Whole values so far, those that were too long included.
    package private(set) var count = 0
    package private(set) var tooLong = 0
    package private(set) var mistake: JSONSplitter.Mistake?
    /// How many bytes of the last piece are not needed any more.
    package private(set) var consumed = 0

    package init(valueMost: Int = .max) { self.valueMost = valueMost }

    /// Calls `found` with the place of each value that ends in `bytes`.
    /// - Parameters:
    ///   - bytes: what was kept of the last call (from `consumed` on) and what came since.
    ///   - isLast: nothing follows.
    package mutating func scan(
        _ bytes: UnsafeRawBufferPointer, isLast: Bool, _ found: (Range<Int>) -> Void
    ) {
        bytesBefore += consumed
        scanned -= consumed
        valueStart -= consumed
        consumed = 0
        guard mistake == nil else {
            consumed = bytes.count
            return
        }
        var index = scanned
        while index < bytes.count, mistake == nil { index = step(bytes, index, found) }
        if isLast, mistake == nil { finish(bytes, found) }
        scanned = bytes.count
        settle(bytes.count)
    }

    /// Looks on from one place to the next change of place, or to the end of the bytes.
    private mutating func step(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ found: (Range<Int>) -> Void) -> Int {
        switch place {
        case .start:
            let index = JSONSplitter.skipSpace(bytes, start)
            guard index < bytes.count else { return index }
            isArray = bytes[index] == 0x5B
            place = .between(mayComma: false)
            return isArray ? index + 1 : index
        case .between(let mayComma): return begin(bytes, start, mayComma)
        case .word:
            var index = start
            while index < bytes.count, JSONSplitter.isWord(bytes[index]) { index += 1 }
            if index < bytes.count { ended(at: index, found) }
            return index
        case .string(let isEscaped):
            guard let end = stringEnd(bytes, start, isEscaped, { .string(isEscaped: $0) }) else { return bytes.count }
            ended(at: end, found)
            return end
        case .nestedString(let depth, let isEscaped):
            guard
                let end = stringEnd(bytes, start, isEscaped, { .nestedString(depth: depth, isEscaped: $0) })
            else { return bytes.count }
            place = .nested(depth: depth)
            return end
        case .nested(let depth): return nested(bytes, start, depth, found)
        case .end:
            let index = JSONSplitter.skipSpace(bytes, start)
            if index < bytes.count { fail(at: index) }
            return index
        case .broken: return bytes.count
        }
    }

    private mutating func begin(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ mayComma: Bool) -> Int {
        let index = JSONSplitter.skipSpace(bytes, start)
        guard index < bytes.count else { return index }
        valueStart = index
        switch bytes[index] {
        case 0x2C where mayComma:
            place = .between(mayComma: false)
        case 0x5D where isArray:
            place = .end
        case 0x22: place = .string(isEscaped: false)
        case 0x7B, 0x5B: place = .nested(depth: 1)
        case 0x2D, 0x30...0x39, 0x74, 0x66, 0x6E: place = .word
        default:
            fail(at: index)
            return index
        }
        return index + 1
    }

    private mutating func nested(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ depthBefore: Int, _ found: (Range<Int>) -> Void
    ) -> Int {
        var depth = depthBefore
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case 0x22:
                guard let end = JSONSplitter.endOfString(bytes, index) else {
                    // The string goes on in the next piece: a place of its own remembers it.
                    place = .nestedString(depth: depth, isEscaped: false)
                    return index + 1
                }
                index = end
                continue
            case 0x7B, 0x5B: depth += 1
            case 0x7D, 0x5D:
                depth -= 1
                if depth == 0 {
                    ended(at: index + 1, found)
                    return index + 1
                }
            default: break
            }
            index += 1
        }
        place = .nested(depth: depth)
        return index
    }

    /// Behind the closing quote; `nil` when it is not there yet, with the place noted.
    private mutating func stringEnd(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ isEscaped: Bool, _ place: (Bool) -> Place
    ) -> Int? {
        var isEscaped = isEscaped
        for index in start..<bytes.count {
            if isEscaped {
                isEscaped = false
            } else if bytes[index] == 0x22 {
                return index + 1
            } else {
                isEscaped = bytes[index] == 0x5C
            }
        }
        self.place = place(isEscaped)
        return nil
    }

    private mutating func ended(at end: Int, _ found: (Range<Int>) -> Void) {
        count += 1
        place = .between(mayComma: true)
        if isPassedOver {
            isPassedOver = false
        } else {
            found(valueStart..<end)
        }
        valueStart = end
    }

    private mutating func finish(_ bytes: UnsafeRawBufferPointer, _ found: (Range<Int>) -> Void) {
        switch place {
        case .word: ended(at: bytes.count, found)
        case .string, .nested, .nestedString: fail(at: valueStart)
        case .start, .between, .end, .broken: break
        }
        if isArray, mistake == nil, case .between = place { fail(at: bytes.count) }
    }

    private mutating func fail(at index: Int) {
        mistake = JSONSplitter.Mistake(valuesBefore: count, offset: bytesBefore + index)
        place = .broken
    }

    /// Says what may go: all but a value that is not whole.
    private mutating func settle(_ end: Int) {
        switch place {
        case .word, .string, .nested, .nestedString:
            if !isPassedOver, end - valueStart > valueMost {
                isPassedOver = true
                tooLong += 1
            }
            if isPassedOver { valueStart = end }
            consumed = valueStart
        case .start, .between, .end, .broken: consumed = end
        }
    }
}
