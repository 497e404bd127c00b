internal import NIOCore
internal import WeirWires

/// How a message is taken.
///
/// | message | with confirms | without |
/// | --- | --- | --- |
/// | taken durably | ack | nothing |
/// | unknown exchange | the channel is closed, 404 | the same |
/// | another connector's key | the channel is closed, 403 | the same |
/// | nobody's key, a removed connector | nack, after `basic.return` if mandatory | `basic.return`, else 312 |
/// | cannot be stored now | nack: try again | the channel is closed, 541 |
extension AMQPSession {
    private static let publishID = AMQPMethodID(60, 40)

    mutating func publish(
        _ number: UInt16, exchange: String, routingKey: String, isMandatory: Bool, isImmediate: Bool
    ) throws(AMQPMistake) -> [Action] {
        guard !isImmediate else { throw AMQPMistake(.notImplemented, "immediate=true") }
        guard exchange.isEmpty || ConnectorTopology.exchanges.contains(exchange) else {
            return closeChannel(
                number, .notFound, "no exchange '\(exchange)' in vhost '/'", cause: AMQPSession.publishID)
        }
        let target = ConnectorTopology.connector(exchange: exchange, routingKey: routingKey)
        guard target == nil || target == connector else {
            return closeChannel(
                number, .accessRefused, "user '\(connector)' may publish only with its own routing key",
                cause: AMQPSession.publishID)
        }
        guard var channel = channels[number] else { return [] }
        channel.published += 1
        let id = AMQPPublishID(
            channel: number, epoch: channel.epoch, number: channel.published, isConfirmed: channel.confirms)
        let publish = Publish(
            exchange: exchange, routingKey: routingKey, isMandatory: isMandatory, isRoutable: target != nil)
        channel.content = Content(id: id, publish: publish)
        channels[number] = channel
        return []
    }

    mutating func contentHeader(_ number: UInt16, _ header: AMQPContentHeader) throws(AMQPMistake) -> [Action] {
        guard var content = try content(number) else { return [] }
        guard header.bodySize <= settings.bodyMost else {
            let text = "message of \(header.bodySize) bytes, at most \(settings.bodyMost) are taken"
            return closeChannel(number, .preconditionFailed, text, cause: AMQPSession.publishID)
        }
        try content.count.header(header.bodySize)
        content.publish.properties = header.properties
        channels[number]?.content = content
        var actions: [Action] = []
        if content.publish.isRoutable {
            let head = BundleHead(
                connector: connector, encoding: .message, byteCount: Int(clamping: header.bodySize))
            actions.append(.begin(content.id, head))
        }
        return actions + (content.count.isComplete ? finishContent(number) : [])
    }

    mutating func contentBody(_ number: UInt16, _ bytes: ByteBuffer) throws(AMQPMistake) -> [Action] {
        guard var content = try content(number) else { return [] }
        try content.count.part(bytes.readableBytes)
        guard bytes.readableBytes > 0 else { return [] }
        channels[number]?.content = content
        var actions: [Action] = []
        if content.publish.isRoutable { actions.append(.body(content.id, bytes)) }
        return actions + (content.count.isComplete ? finishContent(number) : [])
    }

    /// The message that content belongs to; `nil` where it is passed over.
    private func content(_ number: UInt16) throws(AMQPMistake) -> Content? {
        guard let channel = channels[number] else {
            throw AMQPMistake(.channelError, "channel \(number) is not open")
        }
        if channel.isClosing { return nil }
        guard let content = channel.content else {
            throw AMQPMistake(.unexpectedFrame, "content without a method")
        }
        return content
    }

    private mutating func finishContent(_ number: UInt16) -> [Action] {
        guard let content = channels[number]?.content else { return [] }
        channels[number]?.content = nil
        guard content.publish.isRoutable else { return unroutable(content.id, content.publish) }
        pending[content.id] = content.publish
        return [.finish(content.id)]
    }

    /// The platform has it durably, or said why not.
    mutating func settled(_ id: AMQPPublishID, _ failure: ConnectorFailure?) -> [Action] {
        // A bundle that failed before its end came: the rest is read to nowhere.
        if let content = channels[id.channel]?.content, content.id == id, failure != nil {
            channels[id.channel]?.content?.publish.isRoutable = false
            if failure?.code != .unknownConnector { channels[id.channel]?.content?.publish.isMandatory = false }
            return []
        }
        guard let publish = pending.removeValue(forKey: id) else { return [] }
        var actions: [Action] = []
        if let channel = channels[id.channel], channel.epoch == id.epoch, !channel.isClosing {
            actions = confirm(id, publish, failure)
        }
        if phase == .finishing, !pending.keys.contains(where: { !$0.isConfirmed }) {
            actions.append(.send(.method(channel: 0, .connectionCloseOK)))
            actions += end("closed by the client")
        }
        return actions
    }

    private mutating func confirm(
        _ id: AMQPPublishID, _ publish: Publish, _ failure: ConnectorFailure?
    ) -> [Action] {
        guard let failure else {
            guard id.isConfirmed else { return [] }
            return [.send(.method(channel: id.channel, .basicAck(tag: tag(of: id), isMultiple: false)))]
        }
        if failure.code == .unknownConnector { return unroutable(id, publish) }
        guard id.isConfirmed else {
            return closeChannel(id.channel, .internalError, failure.message, cause: AMQPSession.publishID)
        }
        return [nack(id)]
    }

    private mutating func unroutable(_ id: AMQPPublishID, _ publish: Publish) -> [Action] {
        var actions: [Action] = []
        if publish.isMandatory {
            // Without the body: it would have to be kept for as long as the message comes in.
            let back = AMQPMethod.basicReturn(
                code: AMQPCode.noRoute.rawValue, text: AMQPCode.noRoute.name, exchange: publish.exchange,
                routingKey: publish.routingKey)
            let header = AMQPContentHeader(bodySize: 0, properties: publish.properties)
            actions = [
                .send(.method(channel: id.channel, back)), .send(.header(channel: id.channel, header)),
            ]
        }
        if id.isConfirmed { return actions + [nack(id)] }
        guard !publish.isMandatory else { return actions }
        return closeChannel(
            id.channel, .noRoute, "nobody takes '\(publish.routingKey)' from exchange '\(publish.exchange)'",
            cause: AMQPSession.publishID)
    }

    private func nack(_ id: AMQPPublishID) -> Action {
        .send(.method(channel: id.channel, .basicNack(tag: tag(of: id), isMultiple: false, requeues: false)))
    }

    /// Confirms count from `confirm.select` on.
    private func tag(of id: AMQPPublishID) -> UInt64 {
        id.number - (channels[id.channel]?.confirmsFrom ?? 0)
    }
}
