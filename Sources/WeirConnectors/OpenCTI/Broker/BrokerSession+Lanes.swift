internal import NIOCore
internal import WeirWires

/// What comes on a lane: answers to its steps, bundles, and its end.
extension BrokerSession {
    mutating func onChannel(_ number: UInt16, _ method: AMQPMethod) throws(AMQPMistake) -> [Action] {
        guard let channel = channels[number] else {
            throw AMQPMistake(.channelError, "channel \(number) is not open")
        }
        if channel.isClosing {
            guard let answer = method.answerOnClosedChannel else { return [] }
            channels[number] = nil
            return answer.map { .send(.method(channel: number, $0)) }
        }
        switch method {
        case .channelClose(let closing):
            var trouble = BrokerTrouble(closing)
            if case .queueDeclare(let declaration) = channel.steps.first { trouble.queue = declaration.name }
            let actions = endLane(number, trouble)
            channels[number] = nil
            return [.send(.method(channel: number, .channelCloseOK))] + actions
        case .channelFlow(let isActive): return [.send(.method(channel: number, .channelFlowOK(isActive: isActive)))]
        default: break
        }
        guard channel.content == nil else {
            throw AMQPMistake(.unexpectedFrame, "expected content, got \(method.id)")
        }
        switch method {
        case .basicDeliver(_, let tag, let isRedelivered, _, _):
            let delivery = BrokerDelivery(lane: channel.lane, tag: tag, isRedelivered: isRedelivered)
            channels[number]?.content = Content(delivery: delivery)
            return []
        case .basicCancel:
            return closeLane(number, BrokerTrouble(.queue, "Its queue in RabbitMQ was deleted, or has moved."))
        default: return try answered(number, channel, method)
        }
    }

    private mutating func answered(
        _ number: UInt16, _ channel: Channel, _ method: AMQPMethod
    ) throws(AMQPMistake) -> [Action] {
        // The number of an answer is that of its question and one.
        guard let asked = channel.steps.first?.id, method.id.classID == asked.classID,
            method.id.methodID == asked.methodID &+ 1
        else { throw AMQPMistake(.commandInvalid, "unexpected \(method.id) on channel \(number)") }
        channels[number]?.steps.removeFirst()
        if let next = channels[number]?.steps.first { return [.send(.method(channel: number, next))] }
        let completed = [Action.completed(channel.lane, method)]
        guard channel.isOneOff else { return completed }
        channels[number]?.isClosing = true
        return completed + [.send(.method(channel: number, .channelClose(AMQPClosing(.success, "done"))))]
    }

    /// We end one lane; the others go on.
    mutating func closeLane(_ number: UInt16, _ trouble: BrokerTrouble) -> [Action] {
        guard channels[number]?.isClosing == false else { return [] }
        let actions = endLane(number, trouble)
        channels[number]?.isClosing = true
        return actions + [.send(.method(channel: number, .channelClose(AMQPClosing(.success, "closed"))))]
    }

    mutating func endLane(_ number: UInt16, _ trouble: BrokerTrouble) -> [Action] {
        guard let channel = channels[number] else { return [] }
        channels[number]?.content = nil
        let begun = channel.content.flatMap { $0.count.hasBegun ? $0.delivery : nil }
        return (begun.map { [.abandon($0)] } ?? []) + [.ended(channel.lane, trouble)]
    }

    // MARK: Content

    mutating func contentHeader(_ number: UInt16, _ header: AMQPContentHeader) throws(AMQPMistake) -> [Action] {
        if channels[number]?.isClosing == true { return [] }
        guard var content = channels[number]?.content else {
            throw AMQPMistake(.unexpectedFrame, "a content header without a delivery")
        }
        try content.count.header(header.bodySize)
        content.delivery.byteCount = header.bodySize
        return [.begin(content.delivery)] + came(number, content)
    }

    mutating func contentBody(_ number: UInt16, _ bytes: ByteBuffer) throws(AMQPMistake) -> [Action] {
        if channels[number]?.isClosing == true { return [] }
        guard var content = channels[number]?.content else {
            throw AMQPMistake(.unexpectedFrame, "content without a delivery")
        }
        try content.count.part(bytes.readableBytes)
        return [.body(content.delivery, bytes)] + came(number, content)
    }

    private mutating func came(_ number: UInt16, _ content: Content) -> [Action] {
        channels[number]?.content = content.count.isComplete ? nil : content
        return content.count.isComplete ? [.finish(content.delivery)] : []
    }
}
