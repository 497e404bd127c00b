internal import Logging
internal import NIOCore
internal import WeirSettings
package import WeirTunnel
internal import WeirWorld

extension NodeTunnel {
    /// The registry of the mesh, when this hub is of one.
    func registry(on loops: any EventLoopGroup) async throws(TunnelFailure) -> (any MeshRegistry)? {
        guard let mesh = settings.mesh, mesh.mode != .off, let address = RedisAddress(mesh.registry) else { return nil }
        var redis = RedisClient.Settings(address: address)
        redis.user = mesh.user
        redis.password = mesh.password.text
        redis.authorityFile = mesh.registryCA
        // A file of an authority is read.
        let lane = world.blocking.lane("tunnel-registry")
        defer { lane.close() }
        let client: RedisClient
        do {
            client = try await lane.run { [redis] in try RedisClient(redis, eventLoops: loops) }
        } catch {
            throw error as? TunnelFailure ?? TunnelFailure("registry", "\(error)")
        }
        return RedisRegistry(client, prefix: mesh.prefix)
    }

    func shared(_ registry: (any MeshRegistry)?) -> SharedBook? {
        guard let mesh = settings.mesh, let registry else { return nil }
        return SharedBook(registry: registry, secret: mesh.secret.text, hub: settings.name, time: world.time)
    }

    func mesh(_ registry: (any MeshRegistry)?, on loops: any EventLoopGroup) -> Mesh? {
        guard let wanted = settings.mesh, let registry else { return nil }
        let address = wanted.address
        var ownership = Ownership.Settings(
            hub: settings.name, instance: String(world.random.next(), radix: 16),
            address: wanted.advertise ?? wanted.listen)
        ownership.lease = wanted.lease
        let mode: Mesh.Mode = wanted.mode == .active ? .active : .shadow
        return Mesh(
            Mesh.Settings(mode: mode, ownership: ownership, host: address.host, port: address.port),
            registry: registry, eventLoops: loops, world: world)
    }

    package var mesh: MeshStatus? { hub?.mesh?.status }
}
