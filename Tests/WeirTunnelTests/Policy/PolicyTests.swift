import Testing
import WeirWorld

@testable import WeirTunnel

@Suite("What a decision point says")
struct PolicyTests {
    @Test(
        "only a Boolean decides",
        arguments: [
            (#"{"decision":true}"#, true), (#"{"decision":false,"context":{"reason":"no"}}"#, false),
            (#"{"decision":true,"extra":[1]}"#, true), (#"{"decision":"true"}"#, nil), (#"{"decision":1}"#, nil),
            (#"{"decision":null}"#, nil), ("{}", nil), ("[]", nil), ("", nil), ("true", nil),
            (#"{"decision":true"#, nil),
        ] as [(String, Bool?)])
    func decides(text: String, decision: Bool?) {
        #expect((try? AuthZENMessage.answer(Array(text.utf8)))?.decision == decision)
    }

    @Test("a context carries the decision's name, a reason, and what it obliges to")
    func context() throws {
        let text = #"""
            {"decision": true, "context": {"decision_id": "d-1", "reason_user": {"en": "ok"}, "max_duration_s": 60,
            "max_bytes": 1e6, "rate_bytes_per_s": 0.5, "step_up": {"acr": "x"}}}
            """#
        let answer = try AuthZENMessage.answer(Array(text.utf8))
        #expect(answer.id == "d-1" && answer.reason == "ok" && answer.durationMost == .seconds(60))
        #expect(answer.bytesMost == 1_000_000 && answer.rate == nil && answer.unknown == ["step_up"])
    }

    private let now = Moment(nanoseconds: 0)
    private func key(_ client: String) -> DecisionCache.Key {
        .init(OpenQuestion(connector: "ad", listener: "l", clientAddress: client, clientPort: 1))
    }

    @Test("an allow is kept for 5 s, a deny for 1 s, an error not at all; the port does not matter")
    func cache() {
        var cache = DecisionCache()
        cache.keep(OpenDecision(.allow, .pdp, isAllowed: true), for: key("a"), at: now)
        cache.keep(OpenDecision(.deny, .pdp, isAllowed: false), for: key("b"), at: now)
        cache.keep(OpenDecision(.error, .default, isAllowed: true), for: key("c"), at: now)
        #expect(cache.count == 2 && cache.decision(key("a"), at: now + .milliseconds(4_999))?.source == .cache)
        #expect(cache.decision(key("a"), at: now + .seconds(5)) == nil)
        #expect(cache.decision(key("b"), at: now + .seconds(1)) == nil)
        cache.most = 10
        for number in 0..<100 {
            cache.keep(OpenDecision(.allow, .pdp, isAllowed: true), for: key("\(number)"), at: now)
        }
        #expect(cache.count <= 10 && cache.decision(key("99"), at: now) != nil)
    }

    @Test("with no time for an allow nothing is kept, and a deny never longer than an allow")
    func noMemory() {
        var cache = DecisionCache(allowFor: .zero)
        cache.keep(OpenDecision(.allow, .pdp, isAllowed: true), for: key("a"), at: now)
        cache.keep(OpenDecision(.deny, .pdp, isAllowed: false), for: key("b"), at: now)
        #expect(cache.count == 0)
        #expect(DecisionCache(allowFor: .milliseconds(200)).denyFor == .milliseconds(200))
        #expect(DecisionCache(allowFor: .seconds(60)).denyFor == .seconds(1))
    }

    @Test("the name and the reason of a decision have bounds")
    func bounds() throws {
        let long = String(repeating: "x", count: 60_000)
        let text = #"{"decision": true, "context": {"id": "\#(long)", "reason": "\#(long)"}}"#
        let answer = try AuthZENMessage.answer(Array(text.utf8))
        #expect(answer.id?.count == 128 && answer.reason?.count == 500)
    }

    @Test("after five errors in a row nobody asks for 5 s; then one does")
    func breaker() {
        var breaker = PolicyBreaker()
        func asks(_ seconds: Double) -> Bool { breaker.mayAsk(at: now + .seconds(seconds)) }
        for _ in 0..<4 { breaker.failed(at: now) }
        breaker.answered()
        for _ in 0..<4 { breaker.failed(at: now) }
        #expect(asks(0))
        breaker.failed(at: now)
        #expect(breaker.isOpen)
        #expect([asks(4.9), asks(5), asks(5)] == [false, true, false])
        breaker.failed(at: now + .seconds(5))
        #expect([asks(9), asks(10)] == [false, true])
        breaker.answered()
        #expect(!breaker.isOpen)
        #expect(asks(10))
    }
}
