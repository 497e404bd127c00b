internal import NIOCore
import Synchronization
package import WeirExpressions
package import WeirFlow
import WeirGates
package import WeirWorld

/// One rule of a router: which events, and where they go.
package struct RouteRule: Sendable {
    package var name: String
    /// `nil` matches every event, without looking at it.
    package var condition: Matcher?
    package var to: [any Intake]
    /// True: what matched goes no further. False: it is cloned and goes on to the next rule.
    package var isFinal: Bool

    package init(name: String, condition: Matcher? = nil, to: [any Intake], isFinal: Bool = true) {
        self.name = name
        self.condition = condition
        self.to = to
        self.isFinal = isFinal
    }
}

/// Chooses destinations for events: rules in order, as Cribl's output router. Also a destination of its own (`type:
/// router`).
///
/// A batch is looked at once for each rule that has a condition; a batch whose events all go one way is handed on as it
/// is, without a copy. Every destination is offered its part before any of them is waited for, so that one that is held
/// does not keep the others waiting; the sender waits for it only where its `on_backpressure` is `block`.
package final class Routes: Intake {
    package let name: String
    package let rules: [RouteRule]
    /// Where events go that no rule matches; without it they are dropped and counted (`no_route`).
    package let otherwise: (any Intake)?
    package let tap = Tap()
    /// By rule: what passes it.
    package let taps: [Tap]
    private let meters: [RuleMeter]
    private let unrouted = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)
    private let time: (any TimeSource)?

    /// - Parameter time: to know a deadline that has passed (UDP); without it only one before the clock's start counts
    ///   as such.
    package init(
        name: String, rules: [RouteRule], otherwise: (any Intake)? = nil, time: (any TimeSource)? = nil
    ) {
        self.name = name
        self.time = time
        self.rules = rules
        self.otherwise = otherwise
        meters = rules.map { _ in RuleMeter() }
        taps = rules.map { _ in Tap() }
    }

    /// By rule: events that matched, and events whose condition could not be evaluated (they count as no match).
    package var counts: [(matched: UInt64, failed: UInt64)] { meters.map(\.reading) }

    /// Events that no rule matched and that had no `otherwise`: dropped, reason `no_route`.
    package var unroutedEvents: UInt64 { unrouted.load(ordering: .relaxed) }

    /// Events that a destination had no room for while others took theirs; their senders were told (the receipt is
    /// lost).
    package var refusedEvents: UInt64 { refused.load(ordering: .relaxed) }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        if batch.isEmpty { return .kept }
        tap.saw(batch)
        let (offers, lost) = divide(batch)
        let receipt: Receipt
        switch offers.count {
        case 0: receipt = .kept
        case 1 where offers[0].parts.count == 1:
            receipt = try await offers[0].intake.accept(offers[0].parts[0], deadline: deadline)
        default:
            if deadline == .distantPast, let full = offers.first(where: { !$0.hasRoom }) {
                // An offer is all or nothing, so it is not begun where it would be kept in part.
                throw .full(Reason("full", "There is no room at \(full.intake.name)."), retryAfter: nil)
            }
            receipt = try await offer(offers, deadline)
        }
        if lost > 0 { unrouted.wrappingAdd(UInt64(lost), ordering: .relaxed) }
        return receipt
    }

    // MARK: Choosing

    private struct Offer: Sendable {
        var intake: any Intake
        var parts: [Batch]

        var hasRoom: Bool {
            (intake as? any GaugedIntake)?.hasRoom(for: parts.reduce(0) { $0 + $1.byteCount }) ?? true
        }
    }

    /// - Returns: who is offered what, and how many events no rule wanted.
    private func divide(_ batch: Batch) -> (offers: [Offer], unrouted: Int) {
        var offers: [Offer] = []
        func add(_ part: Batch, to intake: any Intake) {
            if let place = offers.firstIndex(where: { $0.intake.name == intake.name }) {
                offers[place].parts.append(part)
            } else {
                offers.append(Offer(intake: intake, parts: [part]))
            }
        }
        var rest = batch
        for (place, rule) in rules.enumerated() {
            let chosen: Batch
            if let condition = rule.condition {
                var selected: [Bool] = []
                let (matched, failed) = rest.select(condition, into: &selected)
                meters[place].add(matched: matched, failed: failed)
                if matched == 0 { continue }
                chosen = matched == rest.count ? rest : rest.selecting(selected)
                if rule.isFinal {
                    rest = matched == rest.count ? rest.slice(0..<0) : rest.selecting(selected.map { !$0 })
                }
            } else {
                meters[place].add(matched: rest.count, failed: 0)
                chosen = rest
                if rule.isFinal { rest = rest.slice(0..<0) }
            }
            taps[place].saw(chosen)
            for intake in rule.to { add(chosen, to: intake) }
            if rest.isEmpty { break }
        }
        guard let otherwise, !rest.isEmpty else { return (offers, rest.count) }
        add(rest, to: otherwise)
        return (offers, 0)
    }

    // MARK: Offering

    // First everybody is offered its part without waiting; then those that had no room are waited for, all at once.
    private func offer(_ offers: [Offer], _ deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let isNowOrNever = deadline.map { $0 <= time?.now ?? .zero && $0 != .distantPast } ?? false
        var receipts: [Receipt] = []
        var waiting: [Offer] = []
        var refusal: IntakeRefusal?
        for offer in offers {
            var rest = offer
            while let part = rest.parts.first {
                do throws(IntakeRefusal) {
                    receipts.append(try await rest.intake.accept(part, deadline: .distantPast))
                    rest.parts.removeFirst()
                } catch {
                    refusal = error
                    break
                }
            }
            if !rest.parts.isEmpty { waiting.append(rest) }
        }
        if waiting.isEmpty { return .joined(receipts) }
        if deadline == .distantPast, receipts.isEmpty, let refusal { throw refusal }
        // In an offer somebody was quicker at one of them since its room was looked at: what the others have cannot be
        // taken back, so the rest is waited for.
        let deadline = deadline == .distantPast ? nil : deadline
        if waiting.count == 1 {
            do throws(IntakeRefusal) {
                for part in waiting[0].parts {
                    receipts.append(try await waiting[0].intake.accept(part, deadline: deadline))
                }
                return .joined(receipts)
            } catch {
                refusal = error
            }
        } else {
            let results = await withTaskGroup(of: Result<[Receipt], IntakeRefusal>.self) { group in
                for offer in waiting {
                    group.addTask {
                        var receipts: [Receipt] = []
                        do throws(IntakeRefusal) {
                            for part in offer.parts {
                                receipts.append(try await offer.intake.accept(part, deadline: deadline))
                            }
                            return .success(receipts)
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            refusal = nil
            for result in results {
                switch result {
                case .success(let more): receipts += more
                case .failure(let error): refusal = error
                }
            }
        }
        // Somebody has its part, somebody has not: the sender must not believe that it was taken by all.
        guard let refusal else { return .joined(receipts) }
        if receipts.isEmpty { throw refusal }
        if case .full(let reason, _) = refusal {
            refused.wrappingAdd(
                UInt64(waiting.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.count } }), ordering: .relaxed)
            if isNowOrNever { return .joined(receipts + [.lost(reason)]) }
        }
        throw refusal
    }
}

/// What one rule has seen.
private final class RuleMeter: Sendable {
    private let matched = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)

    func add(matched count: Int, failed failures: Int) {
        matched.wrappingAdd(UInt64(count), ordering: .relaxed)
        if failures > 0 { failed.wrappingAdd(UInt64(failures), ordering: .relaxed) }
    }

    var reading: (matched: UInt64, failed: UInt64) {
        (matched.load(ordering: .relaxed), failed.load(ordering: .relaxed))
    }
}

extension Batch {
    /// Asks a condition about every event of the batch.
    package func select(_ condition: Matcher, into selected: inout [Bool]) -> (matched: Int, failed: Int) {
        withUnsafeEvents { bytes, ends in
            condition.select(
                slab: bytes, ends: ends, separator: framing.separatorLength, kind: RecordKind(kind),
                source: context.source,
                meta: context.attributes, received: context.received, into: &selected)
        }
    }
}

extension RecordKind {
    package init(_ kind: EventKind) {
        switch kind {
        case .raw: self = .raw
        case .json: self = .json
        case .syslog: self = .syslog
        }
    }
}
