internal import NIOCore
internal import WeirWires

/// Channels and what is asked on them besides publishing.
extension AMQPSession {
    mutating func openChannel(_ number: UInt16) throws(AMQPMistake) -> [Action] {
        guard number > 0, number <= channelMost else {
            throw AMQPMistake(.notAllowed, "channel \(number), at most \(channelMost) were agreed on")
        }
        guard channels[number] == nil else { throw AMQPMistake(.channelError, "channel \(number) is open already") }
        epoch &+= 1
        channels[number] = Channel(epoch: epoch)
        return [.send(.method(channel: number, .channelOpenOK))]
    }

    mutating func onChannel(_ number: UInt16, _ method: AMQPMethod) throws(AMQPMistake) -> [Action] {
        guard let channel = channels[number] else {
            throw AMQPMistake(.channelError, "channel \(number) is not open")
        }
        if channel.isClosing {
            guard let answer = method.answerOnClosedChannel else { return [] }
            channels[number] = nil
            return answer.map { .send(.method(channel: number, $0)) }
        }
        guard channel.content == nil else {
            // A close may come at any time, also within a message that its sender gave up.
            guard case .channelClose = method else {
                throw AMQPMistake(.unexpectedFrame, "expected content, got a method")
            }
            return closed(number)
        }
        return try answer(method, on: number, channel)
    }

    private mutating func answer(
        _ method: AMQPMethod, on number: UInt16, _ channel: Channel
    ) throws(AMQPMistake) -> [Action] {
        func reply(_ method: AMQPMethod) -> [Action] { [.send(.method(channel: number, method))] }
        switch method {
        case .channelClose: return closed(number)
        case .channelFlow(let isActive): return reply(.channelFlowOK(isActive: isActive))
        case .channelFlowOK, .channelCloseOK: return []
        case .confirmSelect(let noWait):
            if !channel.confirms {
                channels[number]?.confirms = true
                channels[number]?.confirmsFrom = channel.published
            }
            return noWait ? [] : reply(.confirmSelectOK)
        // A limit of what is delivered to consumers; there are none.
        case .basicQos: return reply(.basicQosOK)
        case .basicPublish(let exchange, let key, let isMandatory, let isImmediate):
            return try publish(
                number, exchange: exchange, routingKey: key, isMandatory: isMandatory, isImmediate: isImmediate)
        case .exchangeDeclare(let declaration):
            guard ConnectorTopology.exchanges.contains(declaration.name) else {
                return refuse(declaration, "exchange", number, method.id)
            }
            guard declaration.isPassive || declaration.type == "direct" else {
                let text = "exchange '\(declaration.name)' is of type direct"
                return closeChannel(number, .preconditionFailed, text, cause: method.id)
            }
            return declaration.noWait ? [] : reply(.exchangeDeclareOK)
        case .queueDeclare(let declaration):
            let topology = ConnectorTopology(connector)
            guard declaration.name == topology.pushQueue || declaration.name == topology.listenQueue else {
                return refuse(declaration, "queue", number, method.id)
            }
            if declaration.noWait { return [] }
            guard declaration.name == topology.pushQueue else {
                return reply(.queueDeclareOK(name: declaration.name, messages: 0, consumers: 0))
            }
            return [.count(channel: number, epoch: channel.epoch, queue: declaration.name)]
        case .queueBind, .queueDelete, .basicConsume, .basicCancel, .other:
            throw AMQPMistake(
                .notImplemented,
                "\(method.id) is not there: Weir takes what connectors publish, and its own workers read it")
        default: throw AMQPMistake(.commandInvalid, "a client must not send this method")
        }
    }

    /// What `count` asked for.
    mutating func counted(_ messages: UInt32?, channel number: UInt16, epoch: UInt32, queue: String) -> [Action] {
        guard let channel = channels[number], channel.epoch == epoch, !channel.isClosing else { return [] }
        guard let messages else {
            return closeChannel(
                number, .resourceError, "the size of queue '\(queue)' cannot be known now", cause: AMQPMethodID(50, 10))
        }
        return [.send(.method(channel: number, .queueDeclareOK(name: queue, messages: messages, consumers: 0)))]
    }

    private mutating func refuse(
        _ declaration: AMQPDeclaration, _ what: String, _ number: UInt16, _ cause: AMQPMethodID
    ) -> [Action] {
        declaration.isPassive
            ? closeChannel(number, .notFound, "no \(what) '\(declaration.name)' in vhost '/'", cause: cause)
            : closeChannel(
                number, .accessRefused, "\(what) '\(declaration.name)': Weir makes what connectors need itself",
                cause: cause)
    }

    private mutating func closed(_ number: UInt16) -> [Action] {
        let actions = abandonContent(number)
        channels[number] = nil
        return actions + [.send(.method(channel: number, .channelCloseOK))]
    }

    /// Something is wrong with one channel; the others go on.
    mutating func closeChannel(
        _ number: UInt16, _ code: AMQPCode, _ text: String, cause: AMQPMethodID
    ) -> [Action] {
        let actions = abandonContent(number)
        channels[number]?.isClosing = true
        return actions + [.send(.method(channel: number, .channelClose(AMQPClosing(code, text, cause: cause))))]
    }
}
