package import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
import Synchronization
package import WeirWorld

/// Asks a decision point by AuthZEN 1.0 before each connection: `POST /access/v1/evaluation`.
///
/// Only a 200 with a Boolean `decision` decides. A timeout, another status, anything else in the body and a breaker
/// that is open are errors: they are counted as errors, and what follows is what `onError` says. Questions that are the
/// same and come while one of them is under way share its answer.
package final class AuthZENPolicy: OpenPolicy {
    package struct Settings: Sendable {
        /// `https://pdp.example/access/v1/evaluation`.
        package var url: String
        package var hub = "hub"
        /// For the whole question; 500 ms as in the original.
        package var timeout = Duration.milliseconds(500)
        /// What follows when nobody can decide; deny. Letting clients in then is `fail_open` and must be written out.
        package var failsOpen = false
        /// An allow with obligations that Weir does not know: deny. AuthZEN leaves that to the asker.
        package var allowsUnknownObligations = false
        package var cache = DecisionCache()
        /// `Bearer …`, when the decision point wants it.
        package var authorization: String?

        package init(url: String) { self.url = url }
    }

    private let settings: Settings
    private let http: HTTPClient
    private let world: World
    private let observed: @Sendable (String, Duration) -> Void
    private let state: Mutex<State>

    private struct State {
        var cache: DecisionCache
        var breaker = PolicyBreaker()
        var underWay: [DecisionCache.Key: [CheckedContinuation<OpenDecision?, Never>]] = [:]
    }

    /// - Parameter observed: is told the connector and the time of each question that was asked.
    package init(
        _ settings: Settings, http: HTTPClient, world: World,
        observed: @escaping @Sendable (_ connector: String, _ took: Duration) -> Void = { _, _ in }
    ) {
        self.settings = settings
        self.http = http
        self.world = world
        self.observed = observed
        state = Mutex(State(cache: settings.cache))
    }

    package func decide(_ question: OpenQuestion) async -> OpenDecision {
        let key = DecisionCache.Key(question)
        let now = world.time.now
        // Looked up and joined under one lock: between the two nobody may answer.
        let answer = await withCheckedContinuation { (done: CheckedContinuation<OpenDecision?, Never>) in
            let way = state.withLock { state -> Way in
                if let decision = state.cache.decision(key, at: now) { return .known(decision) }
                if state.underWay[key] != nil {
                    state.underWay[key]?.append(done)
                    return .joined
                }
                guard state.breaker.mayAsk(at: now) else { return .resting }
                state.underWay[key] = []
                return .ask
            }
            switch way {
            case .known(let decision): done.resume(returning: decision)
            case .joined: break
            case .resting:
                done.resume(
                    returning: failed(
                        "It failed \(PolicyBreaker.failuresMost) times in a row; it is left alone for a while."
                    ))
            case .ask: done.resume(returning: nil)
            }
        }
        if let answer { return answer }
        return await askFor(question, key)
    }

    private enum Way {
        case known(OpenDecision)
        /// The same question is under way; its answer is this one's too.
        case joined
        case resting
        case ask
    }

    private func askFor(_ question: OpenQuestion, _ key: DecisionCache.Key) async -> OpenDecision {
        let began = world.time.now
        let decision: OpenDecision
        do throws(AuthZENMessage.Mistake) {
            decision = judged(try await ask(question))
        } catch {
            decision = failed(error.sentence)
        }
        let now = world.time.now
        observed(question.connector, now - began)
        let waiting = state.withLock { state in
            if decision.result == .error { state.breaker.failed(at: now) } else { state.breaker.answered() }
            state.cache.keep(decision, for: key, at: now)
            return state.underWay.removeValue(forKey: key) ?? []
        }
        for waiter in waiting { waiter.resume(returning: decision) }
        return decision
    }

    private func judged(_ answer: AuthZENMessage.Answer) -> OpenDecision {
        var decision = OpenDecision(answer.decision ? .allow : .deny, .pdp, isAllowed: answer.decision)
        decision.reason = answer.reason
        decision.id = answer.id
        decision.durationMost = answer.durationMost
        decision.bytesMost = answer.bytesMost
        decision.rate = answer.rate
        if answer.decision, !answer.unknown.isEmpty, !settings.allowsUnknownObligations {
            decision.result = .deny
            decision.isAllowed = false
            decision.reason = "It obliges to what Weir does not know: \(answer.unknown.joined(separator: ", "))."
        }
        return decision
    }

    private func failed(_ reason: String) -> OpenDecision {
        OpenDecision(.error, .default, isAllowed: settings.failsOpen, reason: reason)
    }

    private func ask(_ question: OpenQuestion) async throws(AuthZENMessage.Mistake) -> AuthZENMessage.Answer {
        var request = HTTPClientRequest(url: settings.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Accept", value: "application/json")
        if let authorization = settings.authorization {
            request.headers.add(name: "Authorization", value: authorization)
        }
        let body = AuthZENMessage.Request(question, hub: settings.hub, at: world.time.wall.description)
        request.body = .bytes(ByteBuffer(bytes: (try? JSONEncoder().encode(body)) ?? Data()))
        let bytes: [UInt8]
        do throws(WholeAnswer.Trouble) {
            bytes = try await WholeAnswer.to(request, by: http, most: 64 << 10, within: settings.timeout, world.time)
        } catch {
            throw AuthZENMessage.Mistake(sentence: error.sentence)
        }
        return try AuthZENMessage.answer(bytes)
    }
}
