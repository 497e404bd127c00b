internal import NIOCore
internal import WeirWires
internal import WeirWorld

/// From the first byte to `connection.open-ok` (section 2.2.4 of the specification).
extension AMQPSession {
    /// The first eight bytes came.
    mutating func receivedHeader(_ bytes: [UInt8], at now: Moment) -> [Action] {
        guard phase == .header else { return [] }
        pulse.received(at: now)
        guard bytes == AMQPFrame.protocolHeader else {
            return failed(AMQPMistake(.frameError, "no AMQP 0-9-1 client"), at: now)
        }
        phase = .starting
        let capabilities = AMQPTable([
            .init("publisher_confirms", .flag(true)), .init("basic.nack", .flag(true)),
            .init("connection.blocked", .flag(true)), .init("authentication_failure_close", .flag(true)),
            .init("consumer_cancel_notify", .flag(false)), .init("exchange_exchange_bindings", .flag(false)),
        ])
        let properties = AMQPTable([
            .init("product", .text("Weir")), .init("version", .text(settings.version)),
            .init("information", .text("takes what connectors publish; there is nothing to consume")),
            .init("capabilities", .table(capabilities)),
        ])
        return [
            .send(
                .method(
                    channel: 0, .connectionStart(properties: properties, mechanisms: "PLAIN", locales: "en_US")))
        ]
    }

    mutating func start(_ frame: AMQPFrame, at now: Moment) throws(AMQPMistake) -> [Action] {
        guard case .method(0, .connectionStartOK(let properties, let mechanism, let response, _)) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.start-ok")
        }
        capabilities = properties["capabilities"]?.table ?? AMQPTable()
        let parts = response.readableBytesView.split(separator: 0, omittingEmptySubsequences: false)
        guard mechanism == "PLAIN", parts.count == 3, let user = String(validating: parts[1], as: UTF8.self),
            let password = String(validating: parts[2], as: UTF8.self)
        else { return refuseLogin(mechanism == "PLAIN" ? "it was malformed" : "only PLAIN is there", at: now) }
        phase = .authenticating
        connector = user
        return [.authenticate(user: user, password: password)]
    }

    enum Login: Sendable { case welcome, unknown, tooMany }

    /// The credentials were looked at.
    mutating func authenticated(_ login: Login, at now: Moment) -> [Action] {
        guard phase == .authenticating else { return [] }
        phase = .tuning
        switch login {
        case .welcome: break
        case .unknown: return refuseLogin("unknown user or wrong password", at: now)
        case .tooMany:
            return failed(AMQPMistake(.resourceError, "too many connections of one connector"), at: now)
        }
        let tuning = AMQPTuning(
            channelMost: settings.channelMost, frameMost: settings.frameMost, heartbeat: settings.heartbeat)
        return [.send(.method(channel: 0, .connectionTune(tuning)))]
    }

    /// Clients that can are told; others only see the connection end, as the specification has it.
    private mutating func refuseLogin(_ why: String, at now: Moment) -> [Action] {
        guard capabilities["authentication_failure_close"]?.flag == true else { return end("login refused") }
        phase = .starting
        return failed(
            AMQPMistake(
                .accessRefused,
                "Login was refused: \(why). A connector gets its credentials when it registers; register again."),
            at: now)
    }

    mutating func tune(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        guard case .method(0, .connectionTuneOK(let tuning)) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.tune-ok")
        }
        let frame = tuning.frameMost == 0 ? settings.frameMost : tuning.frameMost
        guard Int(frame) >= AMQPFrame.sizeLeast, frame <= settings.frameMost else {
            throw AMQPMistake(.notAllowed, "frame_max \(frame) is not within 4096 and \(settings.frameMost)")
        }
        frameMost = Int(frame)
        channelMost = tuning.channelMost == 0 ? settings.channelMost : min(tuning.channelMost, settings.channelMost)
        pulse.agreed(tuning.heartbeat)
        phase = .opening
        return []
    }

    mutating func open(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        if frame == .heartbeat { return [] }
        guard case .method(0, .connectionOpen(let vhost)) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.open")
        }
        guard vhost == "/" else { throw AMQPMistake(.notAllowed, "vhost \(vhost) not found; there is only /") }
        phase = .open
        return [.send(.method(channel: 0, .connectionOpenOK))]
    }
}
