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
        /// Bytes in one data frame; 16 KiB with its header, so that a long transfer does not delay its neighbours, and
        /// that a frame is a TLS record.
        package var frameMost = (16 << 10) - YamuxHeader.byteCount
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
    package internal(set) var control: [YamuxHeader] = []
    package internal(set) var isDraining = false
    package internal(set) var isPeerDraining = false
    /// Received and not yet taken by the receivers, in bytes.
    package internal(set) var unread = 0
    /// By how much windows have grown over the first, in bytes.
    package internal(set) var growth = 0
    package internal(set) var counts = Counts()
    var streams: [UInt32: Stream] = [:]
    var backlog = 0
    var nextID: UInt32
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

    // MARK: The end

    /// Opens and takes no more streams; those that are open go on.
    package mutating func drain() {
        guard !isDraining else { return }
        isDraining = true
        send(YamuxHeader(.goAway, stream: 0, length: YamuxGoAway.normal.rawValue))
    }

    mutating func forgetIfDone(_ id: UInt32) {
        guard let stream = streams[id], stream.isFinished, stream.hasFinished, stream.unread == 0 else { return }
        forget(id)
    }

    mutating func forget(_ id: UInt32) {
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
