import DequeModule
import WeirFlow
import WeirGates
import WeirWorld

/// Brings one shipment to its endpoint: cuts it where it is too large for one send, splits what is refused to find the
/// bad events, and writes those down as dead letters. Says at the end what must be sent again.
///
/// A refused piece is halved, breadth first, so that the good halves are delivered early. It ends after 1,024 sends, or
/// after 64 refusals without one success (then all are bad): what is undecided then is dead-lettered as it is.
struct ShipmentRun: Sendable {
    private static let sendsMost = 1_024
    private static let refusalsMost = 64

    let shipment: Shipment
    let clientErrors: DeliverySettings.ClientErrors
    let eventsMost: Int
    let deadline: Deadline
    let time: any TimeSource
    /// Writes dead letters.
    let bury: @Sendable ([Refusal]) async -> Burial
    /// Asked before each further piece: false where a pause began meanwhile.
    let mayGoOn: @Sendable () -> Bool

    /// Events that were refused for good, with one reason.
    struct Refusal: Sendable {
        var batch: Batch
        var reason: Reason
        var attempts: Int
    }

    /// What became of refused events, in their order: first those that were settled, then those that must wait.
    struct Burial: Sendable {
        var kept = 0
        var dropped: [String: Int] = [:]
        /// Why the rest must wait; `nil` when there is none.
        var waits: Reason?
    }

    /// - Returns: the outcome, and whether the deadline fired (the task is cancelled then).
    func run() async -> (ShipmentOutcome, hasFired: Bool) {
        var outcome = ShipmentOutcome()
        if shipment.opensFirst {
            let (failure, fired) = await open()
            outcome.failure = failure
            return (outcome, fired)
        }
        var open = Deque(pieces())
        var left: [Bool]?
        var refusals: [Refusal] = []
        var refusedRanges: [Range<Int>] = []
        var refused = 0
        var successes = 0
        var hasFired = false

        func leave(_ range: Range<Int>) {
            if left == nil { left = Array(repeating: false, count: shipment.events) }
            for index in range { left?[index] = true }
        }

        func refuse(_ range: Range<Int>, _ reason: Reason) {
            refusals += refusal(range, reason)
            refusedRanges.append(range)
        }

        sending: while let range = open.popFirst() {
            outcome.attempts += 1
            let (result, fired) = await send(range)
            hasFired = fired
            switch result {
            case .success(let report):
                successes += 1
                if let pause = report.pause { outcome.pause = max(pause, outcome.pause ?? .zero) }
                for (index, reason) in report.rejected where index >= 0 && index < range.count {
                    let place = range.lowerBound + index
                    if clientErrors == .drop {
                        outcome.dropped[reason.code, default: 0] += 1
                    } else {
                        refuse(place..<(place + 1), reason)
                    }
                }
                for (index, reason) in report.postponed where index >= 0 && index < range.count {
                    leave((range.lowerBound + index)..<(range.lowerBound + index + 1))
                    outcome.postponed = reason
                }
                if outcome.postponed != nil { break sending }
            case .failure(.rejected(let reason)):
                refused += 1
                if clientErrors == .drop {
                    outcome.dropped[reason.code, default: 0] += range.count
                } else if range.count == 1 || outcome.attempts >= Self.sendsMost
                    || (refused >= Self.refusalsMost && successes == 0)
                {
                    refuse(range, reason)
                } else {
                    let middle = range.lowerBound + range.count / 2
                    open.append(range.lowerBound..<middle)
                    open.append(middle..<range.upperBound)
                }
            case .failure(.misconfigured(let reason)) where clientErrors == .deadLetter:
                refuse(range, reason)
            case .failure(.misconfigured(let reason)) where clientErrors == .drop:
                outcome.dropped[reason.code, default: 0] += range.count
            case .failure(let failure):
                leave(range)
                outcome.failure = failure
                break sending
            }
            if !open.isEmpty, hasFired || !mayGoOn() { break }
        }
        for range in open { leave(range) }
        if !refusals.isEmpty {
            let burial = await bury(refusals)
            outcome.deadLettered += burial.kept
            outcome.dropped.merge(burial.dropped, uniquingKeysWith: +)
            if let reason = burial.waits {
                var settled = burial.kept + burial.dropped.values.reduce(0, +)
                for range in refusedRanges {
                    leave(range.dropFirst(settled))
                    settled -= min(settled, range.count)
                }
                outcome.failure = outcome.failure ?? .busy(reason)
            }
        }
        if let left { outcome.left = left.allSatisfy { $0 } ? .all : .some(left) }
        return (outcome, hasFired)
    }

    // MARK: One send

    private func open() async -> (DeliveryFailure?, Bool) {
        deadline.set(time.now + shipment.deadlineAfter)
        var failure: DeliveryFailure?
        do throws(DeliveryFailure) {
            try await shipment.destination.open()
        } catch {
            failure = error
        }
        let fired = deadline.clear()
        if fired, failure != nil {
            failure = .unreachable(
                Reason("connect_timeout", "No connection within \(shipment.deadlineAfter.shortText)."))
        }
        return (failure, fired)
    }

    private func send(_ range: Range<Int>) async -> (Result<DeliveryReport, DeliveryFailure>, Bool) {
        let batches = batches(range)
        deadline.set(time.now + shipment.deadlineAfter)
        var result: Result<DeliveryReport, DeliveryFailure>
        do throws(DeliveryFailure) {
            if batches.count == 1 {
                result = .success(try await shipment.destination.send(batches[0]))
            } else {
                result = .success(try await shipment.destination.send(batches))
            }
        } catch {
            result = .failure(error)
        }
        let fired = deadline.clear()
        // An answer that came together with the deadline is still an answer: it may ask for a pause.
        if fired, case .failure(let failure) = result, !failure.isAnswer {
            result = .failure(
                .timedOut(Reason("request_timeout", "No answer within \(shipment.deadlineAfter.shortText).")))
        }
        return (result, fired)
    }

    // MARK: Cutting

    /// The shipment as ranges of events that each fit into one send; usually one. The gate cuts batches to the largest
    /// send already; what is larger here was found on disk, or meets a receiver that has just come back.
    private func pieces() -> [Range<Int>] {
        let whole = 0..<shipment.events
        if shipment.bytes <= shipment.piece && shipment.events <= eventsMost { return [whole] }
        guard shipment.parcels.count == 1, let batch = shipment.parcels.first?.batch else { return [whole] }
        return batch.cuts(bytes: shipment.piece, events: eventsMost)
    }

    private func batches(_ range: Range<Int>) -> [Batch] {
        if shipment.parcels.count == 1 { return [shipment.parcels[0].batch.slice(range)] }
        if range == 0..<shipment.events { return shipment.parcels.map(\.batch) }
        return parts(range).map { shipment.parcels[$0.parcel].batch.slice($0.range) }
    }

    private func parts(_ range: Range<Int>) -> [(parcel: Int, range: Range<Int>)] {
        var parts: [(Int, Range<Int>)] = []
        var base = 0
        for (place, parcel) in shipment.parcels.enumerated() {
            let own = range.clamped(to: base..<(base + parcel.batch.count))
            if !own.isEmpty { parts.append((place, (own.lowerBound - base)..<(own.upperBound - base))) }
            base += parcel.batch.count
        }
        return parts
    }

    private func refusal(_ range: Range<Int>, _ reason: Reason) -> [Refusal] {
        parts(range).map { part in
            let parcel = shipment.parcels[part.parcel]
            return Refusal(batch: parcel.batch.slice(part.range), reason: reason, attempts: parcel.attempts + 1)
        }
    }
}

extension DeliveryFailure {
    /// True where the receiver said it.
    fileprivate var isAnswer: Bool {
        switch self {
        case .busy, .rejected, .misconfigured: true
        case .unreachable, .timedOut, .cancelled: false
        }
    }
}
