/// The body of a message that comes in frames: first how long it is, then its parts (section 4.2.6).
package struct AMQPBodyCount: Sendable, Hashable {
    /// Bytes to come; `nil` before the header.
    private var remaining: UInt64?

    package init() {}

    package var hasBegun: Bool { remaining != nil }
    package var isComplete: Bool { remaining == 0 }

    package mutating func header(_ size: UInt64) throws(AMQPMistake) {
        guard remaining == nil else { throw AMQPMistake(.unexpectedFrame, "a second content header") }
        remaining = size
    }

    package mutating func part(_ size: Int) throws(AMQPMistake) {
        guard let remaining else { throw AMQPMistake(.unexpectedFrame, "a body came before its header") }
        guard let size = UInt64(exactly: size), size <= remaining else {
            throw AMQPMistake(.frameError, "more body than its header says")
        }
        self.remaining = remaining - size
    }
}
