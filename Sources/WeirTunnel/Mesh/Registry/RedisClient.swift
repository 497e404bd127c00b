internal import Foundation
package import NIOCore
internal import NIOPosix
internal import NIOSSL
import Synchronization
internal import WeirWires
internal import WeirWorld

/// Asks a Redis server, over one connection that is made when it is needed and again when it has broken. Commands that
/// wait share it, in order (pipelining).
///
/// Our own, because what a registry needs is four commands, and no package for Redis is at hand; Debian's hiredis
/// blocks a thread and has no TLS.
package final class RedisClient: Sendable {
    package struct Settings: Sendable {
        package var address: RedisAddress
        package var user: String?
        /// Empty: nobody asks.
        package var password = ""
        /// PEM; with it, the system's authorities are trusted no more.
        package var authorityFile: String?
        /// For the connection, and for each answer; 2 s.
        package var timeout = Duration.seconds(2)

        package init(address: RedisAddress) { self.address = address }
    }

    private struct Line: Sendable {
        var channel: any Channel
        var handler: NIOLoopBound<RedisHandler>
    }

    package let settings: Settings
    private let group: any EventLoopGroup
    private let tls: NIOSSLContext?
    private let line = Mutex<(id: UInt64, future: EventLoopFuture<Line>)?>(nil)
    private let next = Atomic<UInt64>(1)

    /// Reads the authority's file: blocking.
    package init(_ settings: Settings, eventLoops: any EventLoopGroup) throws(TunnelFailure) {
        self.settings = settings
        group = eventLoops
        guard settings.address.usesTLS else {
            tls = nil
            return
        }
        do {
            var configuration = TLSConfiguration.makeClientConfiguration()
            if let path = settings.authorityFile {
                configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path))
            }
            tls = try NIOSSLContext(configuration: configuration)
        } catch {
            throw TunnelFailure("tls_setup", "The registry's authority cannot be used: \(error).")
        }
    }

    /// - Throws: `registry_down` when there is no answer, `registry_refused` when it is a refusal.
    func ask(_ words: [[UInt8]]) async throws(TunnelFailure) -> RESPValue {
        let answer: RESPValue
        do {
            let line = try await connected().get()
            answer = try await send(words, on: line).get()
        } catch {
            throw TunnelFailure("registry_down", "The registry at \(settings.address) does not answer: \(error).")
        }
        if case .failure(let text) = answer {
            throw TunnelFailure("registry_refused", "The registry at \(settings.address) refuses: \(text).")
        }
        return answer
    }

    /// Closes the connection. The next question makes another.
    package func close() {
        let last = line.withLock { line in
            defer { line = nil }
            return line?.future
        }
        last?.whenSuccess { $0.channel.close(promise: nil) }
    }

    private func send(_ words: [[UInt8]], on line: Line) -> EventLoopFuture<RESPValue> {
        let promise = line.channel.eventLoop.makePromise(of: RESPValue.self)
        let bytes = ByteBuffer(bytes: RESPValue.command(words))
        let timeout = TimeAmount.nanoseconds(settings.timeout.nanoseconds)
        line.channel.eventLoop.execute { line.handler.value.ask(bytes, promise, within: timeout) }
        return promise.futureResult
    }

    // MARK: The connection

    private func connected() -> EventLoopFuture<Line> {
        let loop = group.next()
        let promise = loop.makePromise(of: Line.self)
        let id = next.add(1, ordering: .relaxed).newValue
        let standing = line.withLock { line -> EventLoopFuture<Line>? in
            if let line { return line.future }
            line = (id, promise.futureResult)
            return nil
        }
        if let standing {
            // Nobody waits for it.
            promise.fail(ChannelError.alreadyClosed)
            return standing
        }
        let forget = { @Sendable [weak self] in
            self?.line.withLock { line in
                if line?.id == id { line = nil }
            }
        }
        connect(on: loop).whenComplete { result in
            switch result {
            case .success(let line):
                line.channel.closeFuture.whenComplete { _ in _ = forget() }
                promise.succeed(line)
            case .failure(let error):
                _ = forget()
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    private func connect(on loop: any EventLoop) -> EventLoopFuture<Line> {
        let (settings, tls) = (settings, tls)
        return ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(settings.timeout.nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let name = AddressBits(settings.address.host) == nil ? settings.address.host : nil
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try pipeline.addHandler(RedisHandler())
                }
            }
            .connect(host: settings.address.host, port: settings.address.port)
            .flatMap { channel in
                let handler = channel.pipeline.handler(type: RedisHandler.self)
                return handler.map { Line(channel: channel, handler: NIOLoopBound($0, eventLoop: loop)) }
            }
            .flatMap { line in
                self.greet(line).map { line }.flatMapErrorThrowing { error in
                    line.channel.close(promise: nil)
                    throw error
                }
            }
    }

    private func greet(_ line: Line) -> EventLoopFuture<Void> {
        var words: [[String]] = []
        if !settings.password.isEmpty {
            words.append(["AUTH"] + [settings.user].compactMap(\.self) + [settings.password])
        }
        if settings.address.database != 0 { words.append(["SELECT", "\(settings.address.database)"]) }
        let asked = words.map { send($0.map { Array($0.utf8) }, on: line) }
        return EventLoopFuture.whenAllSucceed(asked, on: line.channel.eventLoop).flatMapThrowing { answers in
            for case .failure(let text) in answers { throw TunnelFailure("registry_refused", text) }
        }
    }
}

/// The connection's side on its event loop: answers go to questions in order.
final class RedisHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var waiting: [(promise: EventLoopPromise<RESPValue>, deadline: Scheduled<Void>)] = []
    private var reader = RESPReader()
    private var context: ChannelHandlerContext?

    /// Questions that may wait at the same time.
    private static let waitingMost = 10_000

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func ask(_ bytes: ByteBuffer, _ promise: EventLoopPromise<RESPValue>, within timeout: TimeAmount) {
        guard let context, context.channel.isActive, waiting.count < Self.waitingMost else {
            return promise.fail(ChannelError.ioOnClosedChannel)
        }
        // An answer that is late leaves the order of the others in doubt: the connection ends.
        let channel = context.channel
        let deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            promise.fail(TunnelFailure("timeout", "no answer within \(timeout)"))
            channel.close(promise: nil)
        }
        waiting.append((promise, deadline))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reader.add(unwrapInboundIn(data).readableBytesView)
        do throws(RESPReader.Mistake) {
            while let answer = try reader.next() {
                guard !waiting.isEmpty else { return context.close(promise: nil) }
                let first = waiting.removeFirst()
                first.deadline.cancel()
                first.promise.succeed(answer)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let waiting = waiting
        self.waiting = []
        for one in waiting {
            one.deadline.cancel()
            one.promise.fail(ChannelError.eof)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
