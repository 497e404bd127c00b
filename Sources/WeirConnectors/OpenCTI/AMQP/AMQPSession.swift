internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// One connection of a publisher, as a value: it takes what came and the time, and says what to do.
///
/// Publish-only: what a connector does to send its bundles, and nothing else. A message is confirmed when the platform
/// has it durably, and only then; what cannot be routed is returned (when that was asked for) and always refused with
/// a nack, never confirmed and dropped.
struct AMQPSession: Sendable {
    struct Settings: Sendable {
        var version = "0.1"
        /// Offered to clients, which mostly insist on their own; seconds.
        var heartbeat: UInt16 = 60
        /// Bytes with the overhead.
        var frameMost: UInt32 = 131_072
        var channelMost: UInt16 = 64
        /// Longest message.
        var bodyMost: UInt64 = 400_000_000
        /// From the first byte to `connection.open`.
        var handshakeMost = Duration.seconds(10)
        /// From our `connection.close` to its answer.
        var closeMost = Duration.seconds(5)
        /// Longest pause within a message or a frame, while we read.
        var stallMost = Duration.seconds(60)
        /// Longest silence of a client that wanted no heartbeats and waits for no confirm.
        var idleMost = Duration.seconds(1_800)
        /// Clients that can be told are told that they wait when a message has been waiting for so long.
        var blockedAfter = Duration.seconds(2)
    }

    enum Action: Sendable, Equatable {
        case send(AMQPFrame)
        /// What a client is answered that speaks something else.
        case sendProtocolHeader
        case authenticate(user: String, password: String)
        /// A message begins; its head says how long it is.
        case begin(AMQPPublishID, BundleHead)
        case body(AMQPPublishID, ByteBuffer)
        case finish(AMQPPublishID)
        /// The rest of a message that has begun will not come.
        case abandon(AMQPPublishID)
        /// How much waits for this connector is asked for; `counted` takes the answer.
        case count(channel: UInt16, epoch: UInt32, queue: String)
        /// Close when everything sent so far is out.
        case close(reason: String)
    }

    enum Phase: Sendable, Equatable {
        /// Waits for the protocol header. Can become: `starting`, `closed`.
        case header
        /// Waits for the credentials. Can become: `authenticating`, `closing`.
        case starting
        /// The credentials are being looked at. Can become: `tuning`, `closing`.
        case authenticating
        /// Waits for the client's limits. Can become: `opening`, `closing`.
        case tuning
        /// Waits for the virtual host. Can become: `open`, `closing`.
        case opening
        /// Can become: `finishing`, `closing`.
        case open
        /// The client closes; what it sent without confirms is still being taken. Can become: `closed`.
        case finishing
        /// We close and wait for the answer. Can become: `closed`.
        case closing(since: Moment)
        case closed
    }

    struct Channel: Sendable {
        /// Tells this channel from earlier ones with its number.
        var epoch: UInt32
        var confirms = false
        /// Messages so far, and how many of them came before `confirm.select`.
        var published: UInt64 = 0
        var confirmsFrom: UInt64 = 0
        var content: Content?
        /// We have closed it and wait for the answer; what comes until then is passed over.
        var isClosing = false
    }

    /// A message on its way in.
    struct Content: Sendable {
        var id: AMQPPublishID
        var publish: Publish
        var count = AMQPBodyCount()
    }

    /// What must be known of a message until it is settled.
    struct Publish: Sendable {
        var exchange: String
        var routingKey: String
        var isMandatory: Bool
        var isRoutable: Bool
        var properties = AMQPProperties()
    }

    let settings: Settings
    var phase = Phase.header
    var connector: ConnectorID = ""
    var capabilities = AMQPTable()
    var frameMost: Int
    var pulse: AMQPPulse
    var channelMost: UInt16
    var channels: [UInt16: Channel] = [:]
    var epoch: UInt32 = 0
    /// Taken whole, not yet settled.
    var pending: [AMQPPublishID: Publish] = [:]
    var acceptedAt: Moment
    var isBlocked = false

    init(_ settings: Settings, at now: Moment) {
        self.settings = settings
        frameMost = Int(settings.frameMost)
        channelMost = settings.channelMost
        acceptedAt = now
        pulse = AMQPPulse(at: now)
    }

    /// Whether the next frame may be given; not while credentials are looked at.
    var takesFrames: Bool { phase != .authenticating && phase != .closed && phase != .header }

    /// A frame came, well-formed.
    mutating func received(_ frame: AMQPFrame, at now: Moment) -> [Action] {
        pulse.received(at: now)
        do throws(AMQPMistake) {
            switch phase {
            case .header, .authenticating, .closed, .finishing: return []
            case .starting: return try start(frame, at: now)
            case .tuning: return try tune(frame)
            case .opening: return try open(frame)
            case .open: return try whileOpen(frame)
            case .closing:
                if case .method(0, .connectionCloseOK) = frame { return end("closed") }
                // Both sides closed at once.
                if case .method(0, .connectionClose) = frame { return [.send(.method(channel: 0, .connectionCloseOK))] }
                return []
            }
        } catch {
            return failed(error, cause: cause(of: frame), at: now)
        }
    }

    private func cause(of frame: AMQPFrame) -> AMQPMethodID? {
        if case .method(_, let method) = frame { return method.id }
        return nil
    }

    private mutating func whileOpen(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        switch frame {
        case .heartbeat: return []
        case .method(0, let method): return try connection(method)
        case .method(let number, .channelOpen): return try openChannel(number)
        case .method(let number, let method): return try onChannel(number, method)
        case .header(let number, let header): return try contentHeader(number, header)
        case .body(let number, let bytes): return try contentBody(number, bytes)
        }
    }

    private mutating func connection(_ method: AMQPMethod) throws(AMQPMistake) -> [Action] {
        switch method {
        case .connectionClose:
            var actions = abandonAll()
            // What was sent without confirms cannot be sent again, so it is taken before the answer.
            if pending.keys.contains(where: { !$0.isConfirmed }) {
                phase = .finishing
                return actions
            }
            actions.append(.send(.method(channel: 0, .connectionCloseOK)))
            return actions + end("closed by the client")
        case .connectionCloseOK, .connectionBlocked, .connectionUnblocked: return []
        case .other(let id): throw AMQPMistake(.notImplemented, "\(id) is not there: Weir takes publishes only")
        default: throw AMQPMistake(.commandInvalid, "unexpected method on channel 0")
        }
    }

    /// Something is wrong with the connection as a whole.
    mutating func failed(_ mistake: AMQPMistake, cause: AMQPMethodID? = nil, at now: Moment) -> [Action] {
        switch phase {
        case .closed, .closing: return []
        case .header:
            phase = .closed
            return [.sendProtocolHeader, .close(reason: mistake.message)]
        default:
            let closing = AMQPClosing(mistake.code, mistake.message, cause: cause)
            phase = .closing(since: now)
            return abandonAll() + [.send(.method(channel: 0, .connectionClose(closing)))]
        }
    }

    /// Weir ends the connection: it stops, or the connector's key was revoked.
    mutating func stop(_ text: String, at now: Moment) -> [Action] {
        switch phase {
        case .open, .finishing, .opening, .tuning:
            return failed(AMQPMistake(.connectionForced, text), at: now)
        case .closing, .closed: return []
        case .header, .starting, .authenticating: return end(text)
        }
    }

    mutating func end(_ reason: String) -> [Action] {
        guard phase != .closed else { return [] }
        phase = .closed
        return abandonAll() + [.close(reason: reason)]
    }

    mutating func abandonAll() -> [Action] {
        var actions: [Action] = []
        for number in channels.keys.sorted() { actions += abandonContent(number) }
        return actions
    }

    mutating func abandonContent(_ number: UInt16) -> [Action] {
        guard let content = channels[number]?.content else { return [] }
        channels[number]?.content = nil
        return content.count.hasBegun && content.publish.isRoutable ? [.abandon(content.id)] : []
    }
}

/// A message of one connection.
struct AMQPPublishID: Sendable, Hashable {
    var channel: UInt16
    var epoch: UInt32
    /// Counted from 1 on each channel, with or without confirms.
    var number: UInt64
    /// The client waits for a confirm of it.
    var isConfirmed: Bool
}
