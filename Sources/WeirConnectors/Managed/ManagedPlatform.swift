package import AsyncHTTPClient
package import NIOCore
package import WeirWorld

/// What a connector that Weir itself runs needs beyond `ConnectorPlatform`.
package protocol ManagedPlatform: ConnectorPlatform {
    /// Ends a run: state and times are durable together with its last events, if there are any.
    func finishRun(
        _ id: ConnectorID, _ end: RunEnd, last: BundlePush?, deadline: Moment?
    ) async throws(ConnectorFailure)
}

extension Connectors: ManagedPlatform {}

/// What managed connectors reach the world with; one for all of them.
package struct ManagedMeans: Sendable {
    package var world: World
    package var platform: any ManagedPlatform
    package var http: HTTPClient
    package var group: any EventLoopGroup
    /// For files that only live as long as a run.
    package var scratch: String

    /// A client as managed connectors need it: it follows no redirects (they would carry credentials elsewhere), does
    /// not hide that nobody listens, and unpacks nothing. Whoever makes it shuts it down.
    package static func client(on group: any EventLoopGroup) -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(10)), decompression: .disabled)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: group, configuration: configuration)
    }

    package init(
        world: World, platform: any ManagedPlatform, http: HTTPClient, group: any EventLoopGroup, scratch: String
    ) {
        self.world = world
        self.platform = platform
        self.http = http
        self.group = group
        self.scratch = scratch
    }
}
