import Testing
import WeirWorld

@testable import WeirWires

@Suite("What both sides of an AMQP connection keep")
struct AMQPConnectionValueTests {
    private func at(_ seconds: Int64) -> Moment { Moment(nanoseconds: seconds * 1_000_000_000) }

    @Test("a heartbeat is due at half the interval, and who is silent for two of them has gone")
    func pulse() {
        var pulse = AMQPPulse(at: .zero)
        #expect(!pulse.isDue(at: at(1_000)) && !pulse.isGone(at: at(1_000)))
        pulse.agreed(10)
        #expect(!pulse.isDue(at: at(4)) && pulse.isDue(at: at(5)))
        pulse.sent(at: at(5))
        #expect(!pulse.isDue(at: at(9)) && pulse.isDue(at: at(10)))
        pulse.received(at: at(7))
        #expect(!pulse.isGone(at: at(26)) && pulse.isGone(at: at(27)))
        pulse.agreed(0)
        #expect(!pulse.isGone(at: at(1_000)))
    }

    @Test("a body is as long as its header says, and comes after it")
    func body() throws {
        var count = AMQPBodyCount()
        #expect(throws: AMQPMistake.self) { try count.part(1) }
        try count.header(3)
        #expect(throws: AMQPMistake.self) { try count.header(3) }
        try count.part(2)
        #expect(count.hasBegun && !count.isComplete)
        #expect(throws: AMQPMistake.self) { try count.part(2) }
        try count.part(1)
        #expect(count.isComplete)
        var empty = AMQPBodyCount()
        try empty.header(0)
        #expect(empty.isComplete)
    }

    @Test("on a closed channel only its end is heard")
    func closed() {
        #expect(AMQPMethod.channelCloseOK.answerOnClosedChannel == [])
        #expect(AMQPMethod.channelClose(AMQPClosing(.success, "bye")).answerOnClosedChannel == [.channelCloseOK])
        #expect(AMQPMethod.confirmSelectOK.answerOnClosedChannel == nil)
    }
}
