internal import WeirWires
internal import WeirWorld

/// What happens because time passes.
extension AMQPSession {
    /// Called about once a second.
    /// - Parameters:
    ///   - isReading: bytes would be taken if they came; while Weir itself does not read, silence says nothing.
    ///   - isWithinFrame: a frame has begun to come.
    ///   - waitsSince: since when the platform has been holding a message of this connection.
    mutating func tick(at now: Moment, isReading: Bool, isWithinFrame: Bool, waitsSince: Moment?) -> [Action] {
        switch phase {
        case .closed: return []
        case .header, .starting, .authenticating, .tuning, .opening:
            return now - acceptedAt >= settings.handshakeMost ? end("the handshake took too long") : []
        case .closing(let since): return now - since >= settings.closeMost ? end("no answer to the close") : []
        case .open, .finishing: break
        }
        if !isReading { pulse.received(at: now) }
        let silence = pulse.silence(at: now)
        if pulse.isGone(at: now) { return end("no heartbeat") }
        // Else a client that has gone without a word would keep its place for ever.
        if pulse.interval == nil, silence > settings.idleMost, pending.isEmpty {
            return failed(AMQPMistake(.connectionForced, "idle without heartbeats"), at: now)
        }
        let isWithinMessage = channels.values.contains { $0.content != nil }
        if isWithinFrame || isWithinMessage, silence > settings.stallMost { return end("a message stopped coming") }

        var actions = blocking(waitsSince.map { now - $0 >= settings.blockedAfter } ?? false)
        if pulse.isDue(at: now) { actions.append(.send(.heartbeat)) }
        return actions
    }

    /// Something was written.
    mutating func sent(at now: Moment) { pulse.sent(at: now) }

    private mutating func blocking(_ isHeld: Bool) -> [Action] {
        guard isHeld != isBlocked, capabilities["connection.blocked"]?.flag == true else { return [] }
        isBlocked = isHeld
        let reason = "Weir holds this connector back: what it sent before is still being delivered"
        return [.send(.method(channel: 0, isHeld ? .connectionBlocked(reason: reason) : .connectionUnblocked))]
    }

    /// The platform took what it had held.
    mutating func released() -> [Action] { blocking(false) }
}
