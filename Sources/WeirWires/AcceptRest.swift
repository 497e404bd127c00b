package import NIOCore
internal import WeirWorld

#if canImport(Glibc)
    import Glibc
#endif

/// Accepts no connection while only the reserve of descriptors is left, or memory is used up: says so, and rests a
/// second before the next attempt; connections wait in the kernel's backlog meanwhile. For the pipeline of a listening
/// channel that takes few connections in one go (`maxMessagesPerRead`). NIO's own handler delays reads too, but leaves
/// the listening socket registered, so that the event loop would spin on it.
package final class AcceptRest: ChannelDuplexHandler {
    package typealias InboundIn = any Channel
    package typealias OutboundIn = Never

    package enum News: Sendable, Hashable {
        /// Nothing is accepted for a second.
        /// - Parameters:
        ///   - code: `EMFILE` when only the reserve is left, or what the system said.
        ///   - isFirst: a connection was accepted since the last time.
        case refused(code: CInt, isFirst: Bool)
        /// The first connection since.
        case accepting
    }

    private let hasRoom: @Sendable () -> Bool
    private let tell: @Sendable (News) -> Void
    private var isTroubled = false

    /// - Parameters:
    ///   - hasRoom: false while nothing is to be accepted for another reason.
    ///   - tell: on the channel's event loop.
    package init(hasRoom: @escaping @Sendable () -> Bool = { true }, tell: @escaping @Sendable (News) -> Void) {
        self.hasRoom = hasRoom
        self.tell = tell
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isTroubled {
            isTroubled = false
            tell(.accepting)
        }
        context.fireChannelRead(data)
    }

    package func read(context: ChannelHandlerContext) {
        guard Descriptors.areScarce || !hasRoom() else { return context.read() }
        rest(context.channel, EMFILE)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let code = (error as? IOError)?.errnoCode
        if let code, code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM {
            rest(context.channel, code)
        }
        context.fireErrorCaught(error)
    }

    private func rest(_ channel: any Channel, _ code: CInt) {
        tell(.refused(code: code, isFirst: !isTroubled))
        isTroubled = true
        let hasRoom = hasRoom
        channel.setOption(.autoRead, value: false).whenSuccess { Self.retry(channel, hasRoom) }
    }

    private static func retry(_ channel: any Channel, _ hasRoom: @escaping @Sendable () -> Bool) {
        channel.eventLoop.scheduleTask(in: .seconds(1)) {
            // The option reads at once, past this handler: so the room is looked at here too.
            if Descriptors.areScarce || !hasRoom() { return retry(channel, hasRoom) }
            // Fails only when the listener was closed meanwhile.
            _ = channel.setOption(.autoRead, value: true)
        }
    }
}
