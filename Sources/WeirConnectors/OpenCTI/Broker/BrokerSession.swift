internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// One connection to RabbitMQ, as a value: it takes what came and the time, and says what to do.
///
/// Each connector has a channel of its own, a lane: what goes wrong there (a queue that was deleted, a bundle that
/// waited longer for its acknowledgement than RabbitMQ allows) closes that lane and no other.
struct BrokerSession: Sendable {
    struct Settings: Sendable {
        var vhost = "/"
        var user = "guest"
        var password = "guest"
        var version = "0.1"
        /// Tells this connection from earlier ones: their acknowledgements mean nothing here.
        var connection: UInt64 = 0
        /// Seconds; less when the broker wants less.
        var heartbeat: UInt16 = 30
        /// Bytes with the overhead; less when the broker wants less.
        var frameMost: UInt32 = 131_072
        var channelMost: UInt16 = 2_047
        /// From the first byte to `connection.open-ok`.
        var handshakeMost = Duration.seconds(20)
        /// From our `connection.close` to its answer.
        var closeMost = Duration.seconds(5)
    }

    enum Action: Sendable, Equatable {
        case sendProtocolHeader
        case send(AMQPFrame)
        /// Lanes may be opened now.
        /// - Parameter version: of the broker; empty when it does not say.
        case opened(version: String)
        /// All steps of a lane were answered, the last one with this. A lane that consumes stays open.
        case completed(BrokerLane, AMQPMethod)
        /// The lane is over, and what it delivered and was not acknowledged will come again.
        case ended(BrokerLane, BrokerTrouble)
        /// A bundle begins.
        case begin(BrokerDelivery)
        case body(BrokerDelivery, ByteBuffer)
        case finish(BrokerDelivery)
        /// The rest of a bundle that has begun will not come.
        case abandon(BrokerDelivery)
        /// Close when everything sent so far is out.
        case close(BrokerTrouble)
    }

    enum Phase: Sendable, Equatable {
        /// Waits for `connection.start`. Can become: `tuning`, `closed`.
        case starting
        /// Waits for the broker's limits, or for its word on the credentials. Can become: `opening`, `closed`.
        case tuning
        /// Waits for the virtual host. Can become: `open`, `closed`.
        case opening
        /// Can become: `closing`, `closed`.
        case open
        /// We close and wait for the answer. Can become: `closed`.
        case closing(since: Moment, BrokerTrouble)
        case closed
    }

    struct Channel: Sendable {
        var lane: BrokerLane
        /// Still to be sent; the first one waits for its answer.
        var steps: [AMQPMethod]
        /// Closes itself after its last step.
        var isOneOff: Bool
        var content: Content?
        /// We have closed it and wait for the answer; what comes until then is passed over.
        var isClosing = false
    }

    /// A bundle on its way in.
    struct Content: Sendable {
        var delivery: BrokerDelivery
        var count = AMQPBodyCount()
    }

    let settings: Settings
    var phase = Phase.starting
    var frameMost: Int
    var channelMost: UInt16
    var pulse: AMQPPulse
    var channels: [UInt16: Channel] = [:]
    var brokerVersion = ""
    private var epoch: UInt32 = 0
    private let beganAt: Moment

    init(_ settings: Settings, at now: Moment) {
        self.settings = settings
        frameMost = Int(settings.frameMost)
        channelMost = settings.channelMost
        beganAt = now
        pulse = AMQPPulse(at: now)
    }

    /// The connection stands; the client speaks first.
    mutating func connected() -> [Action] { [.sendProtocolHeader] }

    /// A frame came, well-formed.
    mutating func received(_ frame: AMQPFrame, at now: Moment) -> [Action] {
        pulse.received(at: now)
        do throws(AMQPMistake) {
            switch phase {
            case .closed: return []
            case .closing(_, let trouble):
                if case .method(0, .connectionCloseOK) = frame { return end(trouble) }
                if case .method(0, .connectionClose) = frame { return [.send(.method(channel: 0, .connectionCloseOK))] }
                return []
            default: break
            }
            if case .method(0, .connectionClose(let closing)) = frame {
                return [.send(.method(channel: 0, .connectionCloseOK))] + end(BrokerTrouble(closing))
            }
            switch phase {
            case .starting: return try start(frame)
            case .tuning: return try tune(frame)
            case .opening: return try open(frame)
            default: return try whileOpen(frame)
            }
        } catch {
            return failed(error, at: now)
        }
    }

    private mutating func whileOpen(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        switch frame {
        // It publishes nothing, so a broker that blocks publishers has nothing to say to it.
        case .heartbeat, .method(0, .connectionBlocked), .method(0, .connectionUnblocked): return []
        case .method(0, let method): throw AMQPMistake(.commandInvalid, "unexpected \(method.id) on channel 0")
        case .method(let number, let method): return try onChannel(number, method)
        case .header(let number, let header): return try contentHeader(number, header)
        case .body(let number, let bytes): return try contentBody(number, bytes)
        }
    }

    /// What the broker sent makes no sense.
    mutating func failed(_ mistake: AMQPMistake, at now: Moment) -> [Action] {
        let trouble = BrokerTrouble(
            .protocol,
            phase == .starting
                ? "What answers there speaks no AMQP 0-9-1; if it wants TLS, write `amqps://`."
                : "RabbitMQ sent what Weir does not understand: \(mistake.message).")
        guard phase == .open else { return end(trouble) }
        return close(AMQPClosing(mistake.code, mistake.message), trouble, at: now)
    }

    /// Weir ends the connection.
    mutating func stop(at now: Moment) -> [Action] {
        let trouble = BrokerTrouble(.stopped, "Weir stops.")
        switch phase {
        case .open: return close(AMQPClosing(.success, "Weir stops"), trouble, at: now)
        case .closing, .closed: return []
        default: return end(trouble)
        }
    }

    private mutating func close(_ closing: AMQPClosing, _ trouble: BrokerTrouble, at now: Moment) -> [Action] {
        phase = .closing(since: now, trouble)
        return endLanes(trouble) + [.send(.method(channel: 0, .connectionClose(closing)))]
    }

    /// The connection has gone, or goes now.
    mutating func end(_ trouble: BrokerTrouble) -> [Action] {
        guard phase != .closed else { return [] }
        // Whoever fails to log in is often only disconnected (without authentication_failure_close).
        let trouble =
            phase == .tuning && trouble.code == .unreachable
            ? BrokerTrouble(.refused, "RabbitMQ ended the connection while Weir logged in as `\(settings.user)`.")
            : trouble
        phase = .closed
        return endLanes(trouble) + [.close(trouble)]
    }

    private mutating func endLanes(_ trouble: BrokerTrouble) -> [Action] {
        var actions: [Action] = []
        for number in channels.keys.sorted() where channels[number]?.isClosing == false {
            actions += endLane(number, trouble)
        }
        channels = [:]
        return actions
    }

    // MARK: Time

    /// Something was written.
    mutating func sent(at now: Moment) { pulse.sent(at: now) }

    /// Called about once a second.
    /// - Parameter isReading: bytes would be taken if they came; while Weir itself does not read, silence says nothing.
    mutating func tick(at now: Moment, isReading: Bool) -> [Action] {
        switch phase {
        case .closed: return []
        case .starting, .tuning, .opening:
            guard now - beganAt >= settings.handshakeMost else { return [] }
            return end(BrokerTrouble(.unreachable, "RabbitMQ did not answer within \(settings.handshakeMost)."))
        case .closing(let since, let trouble): return now - since >= settings.closeMost ? end(trouble) : []
        case .open:
            if !isReading { pulse.received(at: now) }
            if pulse.isGone(at: now) {
                return end(BrokerTrouble(.unreachable, "RabbitMQ was silent for \(pulse.silence(at: now))."))
            }
            return pulse.isDue(at: now) ? [.send(.heartbeat)] : []
        }
    }

    // MARK: Lanes

    /// Opens a lane that sends its steps one after the other.
    /// - Returns: `nil` when no channel is free, or the connection is not open.
    mutating func openLane(
        _ connector: ConnectorID, _ steps: [AMQPMethod], isOneOff: Bool
    ) -> (lane: BrokerLane, actions: [Action])? {
        guard phase == .open, let first = steps.first,
            let number = (1...max(1, channelMost)).first(where: { channels[$0] == nil })
        else { return nil }
        epoch &+= 1
        let lane = BrokerLane(
            connector: connector, connection: settings.connection, channel: number, epoch: epoch)
        channels[number] = Channel(lane: lane, steps: steps, isOneOff: isOneOff)
        return (lane, [.send(.method(channel: number, first))])
    }

    /// A bundle is dealt with. Of a lane that is over there is nothing to acknowledge: it comes again.
    func settle(_ delivery: BrokerDelivery, isAcknowledged: Bool) -> [Action] {
        guard phase == .open, let channel = channels[delivery.lane.channel], channel.lane == delivery.lane,
            !channel.isClosing
        else { return [] }
        let method: AMQPMethod =
            isAcknowledged
            ? .basicAck(tag: delivery.tag, isMultiple: false)
            : .basicNack(tag: delivery.tag, isMultiple: false, requeues: true)
        return [.send(.method(channel: delivery.lane.channel, method))]
    }
}

/// A channel of a connection and what it is for; the epoch tells it from earlier ones with its number.
struct BrokerLane: Sendable, Hashable {
    var connector: ConnectorID
    var connection: UInt64
    var channel: UInt16
    var epoch: UInt32
}

/// A bundle that RabbitMQ delivered.
struct BrokerDelivery: Sendable, Hashable {
    var lane: BrokerLane
    var tag: UInt64
    /// It was delivered before, to us or to somebody else, and was not acknowledged.
    var isRedelivered: Bool
    var byteCount: UInt64 = 0
}
