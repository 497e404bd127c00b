import Testing
import WeirGates

@testable import WeirConnectorKit

@Suite("What a ping's answer means")
struct HelperMemoryTests {
    private func memory(_ state: String?) throws -> HelperMemory {
        let registration = try Registration(["id": "1", "connector_state": state.map { .string($0) } ?? .null])
        return HelperMemory(registration: registration, report: ConnectorReport(threshold: .standard))
    }

    @Test("The state of the registration is where it begins", arguments: [nil, "", "null", "{}", "broken"])
    func none(state: String?) throws {
        #expect(try memory(state).state == nil)
        #expect(try memory(#"{"a":1}"#).state?.text == #"{"a":1}"#)
    }

    @Test("The same state, also in another writing, changes nothing")
    func same() throws {
        var memory = try memory(#"{ "a": 1 }"#)
        let isOther = memory.answered(sent: #"{ "a": 1 }"#, remote: #"{"a":1}"#)
        #expect(!isOther && memory.state?.text == #"{ "a": 1 }"#)
        let isNone = memory.answered(sent: nil, remote: "null")
        #expect(!isNone)
    }

    @Test("An answer to an older state than the present one changes nothing")
    func overtaken() throws {
        var memory = try memory(#"{"a":1}"#)
        let isKept = memory.set(try ConnectorState(#"{"a":2}"#))
        let isOther = memory.answered(sent: #"{"a":1}"#, remote: #"{"a":1}"#)
        #expect(isKept && !isOther)
        #expect(memory.state?.text == #"{"a":2}"#)
    }

    @Test("A reset counts, and what a run sets that began before it is not kept")
    func reset() throws {
        var memory = try memory(#"{"a":1}"#)
        memory.runBegins()
        let isReset = memory.answered(sent: #"{"a":1}"#, remote: nil)
        #expect(isReset && memory.state == nil)
        let late = memory.set(try ConnectorState(#"{"a":2}"#))
        #expect(!late && memory.state == nil)
        memory.runEnds()
        memory.runBegins()
        let next = memory.set(try ConnectorState(#"{"a":1}"#))
        #expect(next && memory.state?.text == #"{"a":1}"#)
    }
}

@Suite("Messages on their way")
struct ConfirmWindowTests {
    @Test("go out up to a bound, and are sent again over a new connection unless they were taken")
    func reconnection() {
        var window = ConfirmWindow(count: 100)
        window.connected()
        var sent: [Int] = []
        while let next = window.next() { sent.append(next) }
        #expect(sent == Array(0..<ConfirmWindow.most))
        window.acked(10, isMultiple: true)
        window.acked(12, isMultiple: false)
        #expect(window.taken == 11)
        window.connected()
        let again = [window.next(), window.next()]
        #expect(again == [10, 12], "number 11 (tag 12) was taken")
        window.acked(1, isMultiple: false)
        var count: UInt64 = 2
        // The window is bounded, so it takes several rounds.
        while !window.isDone {
            while window.next() != nil { count += 1 }
            window.acked(count, isMultiple: true)
        }
        #expect(window.taken == 100)
    }

    @Test("stop at a refusal; what was refused is the first to go again")
    func refusal() {
        var window = ConfirmWindow(count: 3)
        window.connected()
        let first = [window.next(), window.next()]
        #expect(first == [0, 1])
        window.nacked(1, isMultiple: false)
        let stopped = window.next()
        #expect(stopped == nil && window.isWaiting && window.refused == 1)
        window.acked(2, isMultiple: false)
        #expect(!window.isWaiting && !window.isDone)
        window.connected()
        let rest = [window.next(), window.next(), window.next()]
        #expect(rest == [0, 2, nil])
        window.acked(2, isMultiple: true)
        #expect(window.isDone && window.taken == 3)
    }
}
