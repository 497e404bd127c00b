package import WeirWires
package import WeirWorld

extension Session {
    /// Says what a frame means. After a `data` frame, `Received.payload` bytes follow on the link.
    package mutating func received(_ header: YamuxHeader, at now: Moment) throws(SessionFault) -> Received {
        pulse.heard(at: now)
        switch header.kind {
        case .data, .window: return try receivedOnStream(header, at: now)
        case .ping:
            if header.flags.contains(.open) {
                guard control.count < Self.controlMost else { throw .flood }
                send(YamuxHeader(.ping, .accept, stream: 0, length: header.length))
            } else if header.flags.contains(.accept) {
                pulse.answered(header.length, at: now)
            }
            return Received(stream: 0)
        case .goAway:
            isPeerDraining = true
            var received = Received(stream: 0)
            received.goAway = header.length
            return received
        }
    }

    /// Bytes that came in any piece: the link is alive although its next frame is not complete.
    package mutating func heard(at now: Moment) { pulse.heard(at: now) }

    private mutating func receivedOnStream(_ header: YamuxHeader, at now: Moment) throws(SessionFault) -> Received {
        let id = header.stream
        guard id != 0 else { throw .streamZero }
        guard control.count < Self.controlMost else { throw .flood }
        var received = Received(stream: id)
        if header.kind == .data {
            guard header.length <= Self.frameMost else { throw .frameTooLong(header.length) }
            received.payload = Int(header.length)
        }
        if header.flags.contains(.open) { try receivedOpen(id, &received, at: now) }
        guard let place = streams.index(forKey: id) else {
            // Of a stream that we have forgotten frames may still be on their way.
            received.isDiscarded = true
            return received
        }
        streams.values[place].touched = now
        if header.flags.contains(.accept), streams.values[place].isOurs, !streams.values[place].isAccepted {
            streams.values[place].isAccepted = true
            backlog -= 1
            received.isAccepted = true
        }
        if header.flags.contains(.reset) {
            counts.resetsReceived += 1
            forget(id)
            received.reset =
                header.kind == .window ? StreamReason(rawValue: header.length) ?? .unspecified : .unspecified
            received.isDiscarded = true
            return received
        }
        switch header.kind {
        case .window where header.length > 0: receivedCredit(Int(header.length), place, &received)
        case .data: receivedData(place, &received)
        default: break
        }
        if header.flags.contains(.finish), !received.isDiscarded { receivedFinish(place, &received) }
        return received
    }

    private mutating func receivedOpen(
        _ id: UInt32, _ received: inout Received, at now: Moment
    ) throws(SessionFault) {
        guard (id & 1 == 1) == (settings.role == .server) else { throw .parity(id) }
        guard streams[id] == nil else { throw .openedTwice(id) }
        guard !isDraining, streams.count < settings.streamsMost, backlog < settings.backlogMost else {
            counts.refused += 1
            send(
                YamuxHeader(
                    .window, .reset, stream: id,
                    length: (isDraining ? StreamReason.draining : StreamReason.busy).rawValue))
            return
        }
        streams[id] = Stream(isOurs: false, at: now)
        backlog += 1
        counts.taken += 1
        received.isOpened = true
    }

    /// Where a stream stands among the others; good until one comes or goes.
    private typealias Place = Dictionary<UInt32, Stream>.Index

    private mutating func receivedCredit(_ amount: Int, _ place: Place, _ received: inout Received) {
        guard streams.values[place].credit + amount <= Self.creditMost else { return mistake(&received) }
        streams.values[place].credit += amount
        received.hasCredit = true
    }

    private mutating func receivedData(_ place: Place, _ received: inout Received) {
        let payload = received.payload
        guard !streams.values[place].isFinished, streams.values[place].granted >= payload else {
            return mistake(&received)
        }
        streams.values[place].granted -= payload
        streams.values[place].unread += payload
        unread += payload
    }

    private mutating func receivedFinish(_ place: Place, _ received: inout Received) {
        guard !streams.values[place].isFinished else { return mistake(&received) }
        streams.values[place].isFinished = true
        counts.finishesReceived += 1
        received.isFinished = true
        forgetIfDone(received.stream)
    }

    private mutating func mistake(_ received: inout Received) {
        counts.mistakes += 1
        reset(received.stream, .protocolMistake)
        received.reset = .protocolMistake
        received.isDiscarded = true
    }

    /// `amount` bytes of a stream have reached their receiver (its kernel, say). Grants them again when half the window
    /// is to be granted.
    package mutating func taken(_ amount: Int, of id: UInt32, at now: Moment) {
        guard var stream = streams[id] else { return }
        stream.unread -= amount
        unread -= amount
        guard !stream.isFinished else {
            streams[id] = stream
            return forgetIfDone(id)
        }
        let owed = stream.window - stream.granted - stream.unread
        guard owed >= stream.window / 2 else {
            streams[id] = stream
            return
        }
        let more = isUsedUpFast(stream, at: now) ? roomToGrow(stream) : 0
        stream.window += more
        growth += more
        stream.granted += owed + more
        stream.grantedAt = now
        streams[id] = stream
        send(YamuxHeader(.window, acceptance(id), stream: id, length: UInt32(owed + more)))
    }

    /// What the peer may still send of a stream before more of it is taken, in bytes; 0 when it is gone.
    package func room(of id: UInt32) -> Int { streams[id]?.granted ?? 0 }

    private func isUsedUpFast(_ stream: Stream, at now: Moment) -> Bool {
        guard let roundTrip = pulse.roundTrip, let before = stream.grantedAt else { return false }
        return now - before < roundTrip * 4
    }

    private func roomToGrow(_ stream: Stream) -> Int {
        // While memory is short nobody's window grows: what is granted may be sent at once.
        guard unread < settings.memory / 4 * 3 else { return 0 }
        let more = min(stream.window, settings.windowMost - stream.window)
        return growth + more <= settings.memory ? max(0, more) : 0
    }
}
