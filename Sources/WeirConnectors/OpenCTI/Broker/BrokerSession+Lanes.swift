internal import NIOCore
internal import WeirWires

/// What comes on a lane: answers to its steps, bundles, and its end.
extension BrokerSession {
    mutating func onChannel(_ number: UInt16, _ method: AMQPMethod) throws(AMQPMistake) -> [Action] {
        guard let channel = channels[number] else {
            throw AMQPMistake(.channelError, "channel \(number) is not open")
        }
        if channel.isClosing {
            switch method {
            case .channelCloseOK: channels[number] = nil
            case .channelClose:
                channels[number] = nil
                return [.send(.method(channel: number, .channelCloseOK))]
            default: break
            }
            return []
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
        let begun = channel.content.flatMap { $0.remaining == nil ? nil : $0.delivery }
        return (begun.map { [.abandon($0)] } ?? []) + [.ended(channel.lane, trouble)]
    }

    // MARK: Content

    mutating func contentHeader(_ number: UInt16, _ header: AMQPContentHeader) throws(AMQPMistake) -> [Action] {
        if channels[number]?.isClosing == true { return [] }
        guard var content = channels[number]?.content, content.remaining == nil else {
            throw AMQPMistake(.unexpectedFrame, "a content header without a delivery")
        }
        content.delivery.byteCount = header.bodySize
        content.remaining = header.bodySize
        channels[number]?.content = header.bodySize == 0 ? nil : content
        return [.begin(content.delivery)] + (header.bodySize == 0 ? [.finish(content.delivery)] : [])
    }

    mutating func contentBody(_ number: UInt16, _ bytes: ByteBuffer) throws(AMQPMistake) -> [Action] {
        if channels[number]?.isClosing == true { return [] }
        guard var content = channels[number]?.content, let remaining = content.remaining else {
            throw AMQPMistake(.unexpectedFrame, "content without a header")
        }
        let count = UInt64(bytes.readableBytes)
        guard count <= remaining else { throw AMQPMistake(.unexpectedFrame, "more content than was announced") }
        content.remaining = remaining - count
        channels[number]?.content = remaining == count ? nil : content
        return [.body(content.delivery, bytes)] + (remaining == count ? [.finish(content.delivery)] : [])
    }
}
