package import WeirWires
package import WeirWorld

/// One side of a yamux session as a value: streams, credit, deadlines. It holds no bytes and no sockets; a shell tells
/// it what came in and what went out, and sends the frames that it leaves in `control`.
///
/// Credit, which is what the tunnel's gate measures:
///
/// - A stream begins with a window of 256 KiB in each direction (yamux). What the peer sent and the target has not
///   taken is `unread`; it is granted again only when it was taken, so a slow target holds its own sender and nobody
///   else.
/// - A window that was used up within four round trips is doubled, up to `windowMost`, as long as the growth of all
///   streams fits `memory`.
/// - `unread` of all streams together is never more than `memory` and one first window: past `memory`,
///   `hasRoom` is false and the shell stops reading the link.
///
/// What a peer does wrong costs the smallest thing that is wrong: more bytes than granted or a second FIN reset their
/// stream; only frames that leave the meaning of what follows in doubt end the session (`SessionFault`).
package struct Session: Sendable {
    /// Who opens odd streams (the one who dialled) and who even ones.
    package enum Role: Sendable, Hashable {
        case client, server
    }

    package struct Settings: Sendable, Hashable {
        package var role: Role
        /// A stream's largest window, in bytes; 4 MiB, at least 256 KiB.
        package var windowMost = 4 << 20
        /// For what has come and was not taken, in bytes; 64 MiB.
        package var memory = 64 << 20
        /// Bytes in one data frame; 16 KiB, so that a long transfer does not delay its neighbours.
        package var frameMost = 16 << 10
        /// Streams at the same time; 16,384. More are refused (`busy`).
        package var streamsMost = 16_384
        /// Streams that were opened and not yet accepted; 256 as in hashicorp's. More are refused.
        package var backlogMost = 256
        /// Between two pings; 11 s, ± 20 % so that ten thousand agents do not ping at once. With the timeout, and a
        /// clock that is looked at once a second, a dead peer is found within 25 s whatever chance says.
        package var pingEvery = Duration.seconds(11)
        /// A link that brings nothing for so long after a ping is dead; 10 s.
        package var pingTimeout = Duration.seconds(10)
        /// How long a stream may be silent when one direction has finished; 5 min (hashicorp resets after as long).
        package var finishWait = Duration.seconds(300)
        /// How long a stream may be silent at all; no limit.
        package var idleTimeout: Duration?

        package init(role: Role) { self.role = role }
    }

    package let settings: Settings
    /// Frames to send, in this order, before any data that is written later. The shell takes them.
    package private(set) var control: [YamuxHeader] = []
    package private(set) var isDraining = false
    package private(set) var isPeerDraining = false
    /// Received and not yet taken by the receivers, in bytes.
    package private(set) var unread = 0
    /// By how much windows have grown over the first, in bytes.
    package private(set) var growth = 0
    package private(set) var counts = Counts()
    var streams: [UInt32: Stream] = [:]
    private var backlog = 0
    private var nextID: UInt32
    var pulse: Pulse

    /// What has crossed the link since its beginning.
    package struct Counts: Sendable, Hashable {
        package var opened = 0
        package var taken = 0
        package var refused = 0
        package var finishesSent = 0
        package var finishesReceived = 0
        package var resetsSent = 0
        package var resetsReceived = 0
        package var mistakes = 0
    }

    package init(_ settings: Settings, at now: Moment) {
        self.settings = settings
        nextID = settings.role == .client ? 1 : 2
        pulse = Pulse(every: settings.pingEvery, timeout: settings.pingTimeout, at: now)
    }

    package var streamCount: Int { streams.count }
    /// False when what has come and was not taken fills the memory: read no more from the link until it is true.
    package var hasRoom: Bool { unread < settings.memory }
    package var roundTrip: Duration? { pulse.roundTrip }

    package mutating func takeControl() -> [YamuxHeader] {
        let frames = control
        control.removeAll(keepingCapacity: true)
        return frames
    }

    mutating func send(_ header: YamuxHeader) { control.append(header) }

    // MARK: Streams of ours

    /// Why no stream can be opened now.
    package enum OpenRefusal: Error, Sendable, Hashable {
        /// This session ends; use another.
        case draining
        /// `streamsMost` are open, or `backlogMost` wait to be accepted.
        case busy
        /// All 2³¹ numbers were used.
        case exhausted
    }

    package mutating func open(at now: Moment) throws(OpenRefusal) -> UInt32 {
        guard !isDraining, !isPeerDraining else { throw .draining }
        guard streams.count < settings.streamsMost, backlog < settings.backlogMost else { throw .busy }
        guard nextID < .max - 2 else { throw .exhausted }
        let id = nextID
        nextID += 2
        streams[id] = Stream(isOurs: true, at: now)
        backlog += 1
        counts.opened += 1
        send(YamuxHeader(.window, .open, stream: id))
        return id
    }

    // MARK: Sending

    /// Takes credit for one frame of `wanted` bytes or less: write a data frame of as many. Zero means: wait for
    /// credit.
    package mutating func take(_ wanted: Int, of id: UInt32, at now: Moment) -> Int {
        guard var stream = streams[id], !stream.hasFinished else { return 0 }
        let amount = min(wanted, stream.credit, settings.frameMost)
        guard amount > 0 else { return 0 }
        stream.credit -= amount
        stream.touched = now
        streams[id] = stream
        return amount
    }

    /// Credit that was taken and not used.
    package mutating func giveBack(_ amount: Int, of id: UInt32) {
        guard amount > 0 else { return }
        streams[id]?.credit += amount
    }

    /// True when both directions have ended and everything was taken.
    package func isForgotten(_ id: UInt32) -> Bool { streams[id] == nil }

    /// What may still be sent on a stream, in bytes.
    package func credit(of id: UInt32) -> Int { streams[id]?.credit ?? 0 }

    /// After the last data frame of a stream was written: no more will come. Finishing twice is finishing once.
    package mutating func finish(_ id: UInt32, at now: Moment) {
        guard var stream = streams[id], !stream.hasFinished else { return }
        stream.hasFinished = true
        stream.touched = now
        streams[id] = stream
        counts.finishesSent += 1
        send(YamuxHeader(.window, acceptance(id).union(.finish), stream: id))
        forgetIfDone(id)
    }

    /// Ends a stream at once in both directions.
    package mutating func reset(_ id: UInt32, _ reason: StreamReason) {
        guard streams[id] != nil else { return }
        counts.resetsSent += 1
        send(YamuxHeader(.window, .reset, stream: id, length: reason.rawValue))
        forget(id)
    }

    /// Takes a stream that the peer has opened.
    package mutating func accept(_ id: UInt32) {
        let flags = acceptance(id)
        guard !flags.isEmpty else { return }
        send(YamuxHeader(.window, flags, stream: id))
    }

    // An acceptance that is still owed travels with the next frame of its stream.
    private mutating func acceptance(_ id: UInt32) -> YamuxHeader.Flags {
        guard let stream = streams[id], stream.owesAccept else { return [] }
        streams[id]?.owesAccept = false
        streams[id]?.isAccepted = true
        backlog -= 1
        return .accept
    }

    // MARK: Receiving

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
        guard var stream = streams[id] else {
            // Of a stream that we have forgotten frames may still be on their way.
            received.isDiscarded = true
            return received
        }
        stream.touched = now
        if header.flags.contains(.accept), stream.isOurs, !stream.isAccepted {
            stream.isAccepted = true
            backlog -= 1
            received.isAccepted = true
        }
        streams[id] = stream
        if header.flags.contains(.reset) {
            counts.resetsReceived += 1
            forget(id)
            received.reset =
                header.kind == .window ? StreamReason(rawValue: header.length) ?? .unspecified : .unspecified
            received.isDiscarded = true
            return received
        }
        switch header.kind {
        case .window where header.length > 0: receivedCredit(Int(header.length), id, &received)
        case .data: receivedData(id, &received)
        default: break
        }
        if header.flags.contains(.finish), !received.isDiscarded { receivedFinish(id, &received) }
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

    private mutating func receivedCredit(_ amount: Int, _ id: UInt32, _ received: inout Received) {
        guard let credit = streams[id]?.credit, credit + amount <= Self.creditMost else {
            return mistake(id, &received)
        }
        streams[id]?.credit = credit + amount
        received.hasCredit = true
    }

    private mutating func receivedData(_ id: UInt32, _ received: inout Received) {
        guard var stream = streams[id], !stream.isFinished, stream.granted >= received.payload else {
            return mistake(id, &received)
        }
        stream.granted -= received.payload
        stream.unread += received.payload
        streams[id] = stream
        unread += received.payload
    }

    private mutating func receivedFinish(_ id: UInt32, _ received: inout Received) {
        guard streams[id]?.isFinished == false else { return mistake(id, &received) }
        streams[id]?.isFinished = true
        counts.finishesReceived += 1
        received.isFinished = true
        forgetIfDone(id)
    }

    private mutating func mistake(_ id: UInt32, _ received: inout Received) {
        counts.mistakes += 1
        reset(id, .protocolMistake)
        received.reset = .protocolMistake
        received.isDiscarded = true
    }

    // MARK: Taken by the receiver

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

    // MARK: The end

    /// Opens and takes no more streams; those that are open go on.
    package mutating func drain() {
        guard !isDraining else { return }
        isDraining = true
        send(YamuxHeader(.goAway, stream: 0, length: YamuxGoAway.normal.rawValue))
    }

    private mutating func forgetIfDone(_ id: UInt32) {
        guard let stream = streams[id], stream.isFinished, stream.hasFinished, stream.unread == 0 else { return }
        forget(id)
    }

    private mutating func forget(_ id: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        if !stream.isAccepted { backlog -= 1 }
        unread -= stream.unread
        growth -= stream.window - YamuxHeader.windowFirst
    }

    /// No frame is longer; a peer's largest window bounds it. 16 MiB.
    static let frameMost: UInt32 = 16 << 20
    /// More credit than this is a mistake.
    static let creditMost = 1 << 30
    /// Answers that may wait to be sent. More only come up when the peer asks and does not read.
    static let controlMost = 65_536
}
