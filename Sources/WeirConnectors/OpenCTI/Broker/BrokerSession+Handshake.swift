internal import NIOCore
internal import WeirWires

/// From `connection.start` to `connection.open-ok` (section 2.2.4 of the specification).
extension BrokerSession {
    mutating func start(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        guard case .method(0, .connectionStart(let properties, let mechanisms, _)) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.start")
        }
        guard mechanisms.split(separator: " ").contains("PLAIN") else {
            return end(BrokerTrouble(.refused, "RabbitMQ offers `\(mechanisms)`; Weir logs in by PLAIN only."))
        }
        brokerVersion = properties["version"]?.text ?? ""
        phase = .tuning
        let capabilities = AMQPTable([
            // Without it a refused login is a connection that ends, and nobody knows why.
            .init("authentication_failure_close", .flag(true)), .init("consumer_cancel_notify", .flag(true)),
            .init("basic.nack", .flag(true)), .init("connection.blocked", .flag(true)),
        ])
        let ours = AMQPTable([
            .init("product", .text("Weir")), .init("version", .text(settings.version)),
            .init("connection_name", .text("weir")), .init("capabilities", .table(capabilities)),
        ])
        let response = ByteBuffer(string: "\0\(settings.user)\0\(settings.password)")
        return [
            .send(
                .method(
                    channel: 0,
                    .connectionStartOK(properties: ours, mechanism: "PLAIN", response: response, locale: "en_US")))
        ]
    }

    mutating func tune(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        guard case .method(0, .connectionTune(let offered)) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.tune")
        }
        // 0 means that the broker has no limit of its own.
        func least<Number: FixedWidthInteger>(_ ours: Number, _ theirs: Number) -> Number {
            theirs == 0 ? ours : min(ours, theirs)
        }
        let tuning = AMQPTuning(
            channelMost: least(settings.channelMost, offered.channelMost),
            frameMost: max(least(settings.frameMost, offered.frameMost), UInt32(AMQPFrame.sizeLeast)),
            heartbeat: least(settings.heartbeat, offered.heartbeat))
        frameMost = Int(tuning.frameMost)
        channelMost = tuning.channelMost
        pulse.agreed(tuning.heartbeat)
        phase = .opening
        return [
            .send(.method(channel: 0, .connectionTuneOK(tuning))),
            .send(.method(channel: 0, .connectionOpen(vhost: settings.vhost))),
        ]
    }

    mutating func open(_ frame: AMQPFrame) throws(AMQPMistake) -> [Action] {
        if frame == .heartbeat { return [] }
        guard case .method(0, .connectionOpenOK) = frame else {
            throw AMQPMistake(.commandInvalid, "expected connection.open-ok")
        }
        phase = .open
        return [.opened(version: brokerVersion)]
    }
}
